import subprocess
import sys
import threading

import pytest

from napari_spatia.errors import Cancelled, SpatiaError
from napari_spatia.session.jobs import InlineJobs, ThreadJobs


class Watcher:
    def __init__(self):
        self.statuses, self.errors = [], []

    def job_changed(self, status):
        self.statuses.append(status)

    def job_failed(self, kind, error):
        self.errors.append((kind, error))


@pytest.fixture
def jobs():
    runner = ThreadJobs(deliver=lambda call: call())
    runner.watcher = Watcher()
    yield runner
    runner.close()


def test_newest_job_wins_and_those_between_never_start(jobs):
    gate, started, accepted = threading.Event(), [], []

    def work(name):
        def run(progress):
            started.append(name)
            assert gate.wait(10)
            return name

        return run

    jobs.submit("draw", work("first"), accepted.append)
    while not started:
        pass
    for name in ("second", "third", "last"):
        jobs.submit("draw", work(name), accepted.append)
    gate.set()
    assert jobs.wait(10)
    assert started == ["first", "last"]
    assert accepted == ["last"]


def test_a_frame_of_a_movement_is_kept(jobs):
    gate, started, accepted = threading.Event(), threading.Event(), []

    def slow(progress):
        started.set()
        assert gate.wait(10)
        return "first"

    jobs.submit("draw", slow, accepted.append, drop_stale=False)
    assert started.wait(10)
    jobs.submit("draw", lambda progress: "last", accepted.append, drop_stale=False)
    gate.set()
    assert jobs.wait(10)
    assert accepted == ["first", "last"]


def test_a_job_that_pauses_gives_way_to_a_newer_one_at_once(jobs):
    accepted = []
    jobs.submit("draw", lambda progress: "paused", accepted.append, pause_s=1000)
    assert not jobs.wait(0.05), "it waits, and is not idle"
    jobs.submit("draw", lambda progress: "newer", accepted.append)
    assert jobs.wait(10)
    jobs.submit("draw", lambda progress: "after a pause", accepted.append, pause_s=0.02)
    assert jobs.wait(10)
    assert accepted == ["newer", "after a pause"]


def test_a_job_that_pauses_can_be_cancelled_or_closed(jobs):
    accepted = []
    jobs.submit("draw", lambda progress: "paused", accepted.append, pause_s=1000)
    jobs.cancel("draw")
    assert jobs.wait(10)
    jobs.submit("draw", lambda progress: "paused", accepted.append, pause_s=1000)
    jobs.close(wait_s=10)
    assert accepted == []


def test_cancel_reaches_the_work_and_drops_its_result(jobs):
    started, gate, seen, accepted = threading.Event(), threading.Event(), [], []

    def work(progress):
        started.set()
        assert gate.wait(10)
        try:
            progress(0.5, "half")
        except Cancelled:
            seen.append("cancelled")
            raise
        return "result"

    jobs.submit("predict", work, accepted.append)
    assert started.wait(10)
    jobs.cancel("predict")
    gate.set()
    assert jobs.wait(10)
    assert seen == ["cancelled"] and accepted == []
    assert jobs.watcher.statuses[-1].cancelled and not jobs.watcher.statuses[-1].running
    assert jobs.watcher.errors == []


def test_kinds_do_not_wait_for_each_other(jobs):
    gate, accepted = threading.Event(), []
    jobs.submit("predict", lambda progress: gate.wait(10), lambda result: accepted.append("predict"))
    jobs.submit("draw", lambda progress: gate.set(), lambda result: accepted.append("draw"))
    assert jobs.wait(10)
    assert sorted(accepted) == ["draw", "predict"]


def test_an_error_is_told_once_and_the_lane_lives_on(jobs):
    def fails(progress):
        raise SpatiaError("no such gene")

    accepted = []
    jobs.submit("draw", fails, accepted.append)
    assert jobs.wait(10)
    jobs.submit("draw", lambda progress: "fine", accepted.append)
    assert jobs.wait(10)
    assert [str(error) for _, error in jobs.watcher.errors] == ["no such gene"]
    assert accepted == ["fine"]


def test_result_cancelled_while_it_waits_for_delivery_is_dropped():
    calls, accepted = [], []
    jobs = ThreadJobs(deliver=calls.append)
    jobs.submit("open", lambda progress: "slide", accepted.append)
    assert jobs.wait(10)
    jobs.cancel("open")
    jobs.submit("open", lambda progress: "other", accepted.append)
    assert jobs.wait(10)
    for call in calls:
        call()
    jobs.close()
    assert accepted == ["other"]


def test_progress_is_reported_and_ends_at_one(jobs):
    jobs.submit("predict", lambda progress: progress(0.25, "reading"), lambda result: None)
    assert jobs.wait(10)
    fractions = [status.fraction for status in jobs.watcher.statuses]
    assert 0.25 in fractions and fractions[-1] == 1.0
    assert "reading" in {status.doing for status in jobs.watcher.statuses}


def test_inline_jobs_return_when_done_and_raise():
    accepted = []
    jobs = InlineJobs()
    jobs.submit("draw", lambda progress: 3, accepted.append)
    assert accepted == [3]
    with pytest.raises(SpatiaError, match="bad"):
        jobs.submit("draw", lambda progress: (_ for _ in ()).throw(SpatiaError("bad")), accepted.append)


def test_close_ends_the_threads():
    jobs = ThreadJobs(deliver=lambda call: call())
    jobs.submit("draw", lambda progress: None, lambda result: None)
    assert jobs.wait(10)
    jobs.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "spatia-draw" and thread.is_alive()]


def test_the_end_of_the_program_waits_for_work_that_runs(tmp_path):
    script = """
import pathlib, sys, threading, time
from napari_spatia.session.jobs import ThreadJobs

began = threading.Event()

def work(report):
    began.set()
    time.sleep(0.5)
    pathlib.Path(sys.argv[1]).touch()

ThreadJobs(lambda call: call()).submit("read", work, lambda result: None)
began.wait()
"""
    ended = tmp_path / "ended"
    subprocess.run([sys.executable, "-c", script, str(ended)], check=True, timeout=60)
    assert ended.exists()


MAKES_AND_FREES = """
from types import SimpleNamespace
import psutil
from napari_spatia.session import jobs as module
from napari_spatia.session.jobs import LONG_WORK_S, ThreadJobs

clock_s = 0.0  # moved by the work alone: on a busy machine even the short one takes long
module.time = SimpleNamespace(monotonic=lambda: clock_s)

def work(seconds):
    def run(progress):
        global clock_s
        blocks = [bytearray(b"1") * 20_000 for _ in range(5_000)]  # 100 MB
        kept = blocks[::500]  # so that the allocator finds no long stretch free at its end
        del blocks
        clock_s += seconds
        return kept

    return run

jobs, accepted = ThreadJobs(lambda call: call()), []
before = psutil.Process().memory_info().rss
for seconds in (0.0, 1.2 * LONG_WORK_S):
    jobs.submit("read", work(seconds), accepted.append)
    assert jobs.wait(10)
    print((psutil.Process().memory_info().rss - before) >> 20)
jobs.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' allocators are not told")
def test_what_long_work_has_freed_goes_back_to_the_system():
    done = subprocess.run([sys.executable, "-c", MAKES_AND_FREES], capture_output=True, text=True, check=True)
    after_short_mb, after_long_mb = (int(line) for line in done.stdout.split())
    assert after_short_mb > 80 and after_long_mb < 20
