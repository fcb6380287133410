"""Where long work runs: at once for a script, one thread per kind of work for a window.

A job's *work* computes from a snapshot and touches nothing shared; its *accept* takes the result into the state and is
called where the owner wants it (`deliver`), in a window on the GUI thread.
"""

import atexit
import itertools
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from napari_spatia.errors import Cancelled
from napari_spatia.progress import Progress, silent
from napari_spatia.session.freed_memory import give_back_freed

T = TypeVar("T")
Deliver = Callable[[Callable[[], None]], None]

REPORT_EVERY_S = 0.05
LONG_WORK_S = 0.25
"""Work that took so long has made and freed much; a picture along a movement has not."""
MOST_S_AT_EXIT = 30.0
"""How long the end of the program waits for work that was cancelled: a thread cut off inside a library aborts it."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How the newest job of one kind stands."""

    kind: str
    generation: int
    running: bool = True
    fraction: float = 0.0
    doing: str = ""
    cancelled: bool = False


class Watcher(Protocol):
    """Who is told about jobs; called through `deliver`."""

    def job_changed(self, status: JobStatus) -> None: ...

    def job_failed(self, kind: str, error: Exception) -> None: ...


class Jobs(Protocol):
    """Runs work of several kinds; of one kind, one at a time and the newest wins."""

    watcher: Watcher | None

    def submit(
        self,
        kind: str,
        work: Callable[[Progress], T],
        accept: Callable[[T], None],
        *,
        drop_stale: bool = True,
        pause_s: float = 0.0,
    ) -> None:
        """Start ``work``; a newer job of the kind replaces one that waits and cancels the one that runs.

        With ``drop_stale=False`` a running job is let finish and its result accepted: for pictures along a movement,
        where each result is a frame and only the requests between two frames are skipped. With ``pause_s`` it starts
        only once no newer job of the kind has come for so long.
        """
        ...

    def cancel(self, kind: str) -> None:
        """Stop the running job of a kind at its next report, and forget the waiting one."""
        ...

    def close(self, wait_s: float = 2.0) -> None:
        """Cancel everything and let the threads end; wait for each as long as this at most."""
        ...


class InlineJobs:
    """Runs each job at once on the caller's thread; errors go to the caller. For scripts and the command line."""

    def __init__(self, progress: Progress = silent) -> None:
        self.watcher: Watcher | None = None
        self._progress = progress
        self._generations = itertools.count(1)

    def submit(
        self,
        kind: str,
        work: Callable[[Progress], T],
        accept: Callable[[T], None],
        *,
        drop_stale: bool = True,
        pause_s: float = 0.0,
    ) -> None:
        status = JobStatus(kind, next(self._generations))
        self._tell(status)
        try:
            accept(work(self._progress))
        finally:
            self._tell(replace(status, running=False, fraction=1.0))

    def cancel(self, kind: str) -> None:
        """Nothing runs between two calls of a script."""

    def close(self, wait_s: float = 2.0) -> None:
        """Nothing is left running."""

    def _tell(self, status: JobStatus) -> None:
        if self.watcher is not None:
            self.watcher.job_changed(status)


@dataclass(frozen=True, slots=True)
class _Request:
    generation: int
    work: Callable[[Progress], Any]
    accept: Callable[[Any], None]
    drop_stale: bool
    not_before_s: float
    """As `time.monotonic` has it."""


class ThreadJobs:
    """One thread per kind of work, kept for the next job: a model's thread pool belongs to the thread that calls it."""

    def __init__(self, deliver: Deliver) -> None:
        self.watcher: Watcher | None = None
        self._deliver = deliver
        self._lanes: dict[str, _Lane] = {}

    def submit(
        self,
        kind: str,
        work: Callable[[Progress], T],
        accept: Callable[[T], None],
        *,
        drop_stale: bool = True,
        pause_s: float = 0.0,
    ) -> None:
        if kind not in self._lanes:
            self._lanes[kind] = _Lane(kind, self._deliver, self._changed, self._failed)
        self._lanes[kind].put(work, accept, drop_stale, time.monotonic() + pause_s)

    def cancel(self, kind: str) -> None:
        if kind in self._lanes:
            self._lanes[kind].cancel()

    def close(self, wait_s: float = 2.0) -> None:
        for lane in self._lanes.values():
            lane.close(wait_s)
        self._lanes.clear()

    def wait(self, timeout_s: float = 60.0) -> bool:
        """Block until no job runs or waits; False when ``timeout_s`` passed first. Not for the GUI thread."""
        deadline = time.monotonic() + timeout_s
        return all(lane.idle.wait(max(0.0, deadline - time.monotonic())) for lane in list(self._lanes.values()))

    def _changed(self, status: JobStatus) -> None:
        if self.watcher is not None:
            self.watcher.job_changed(status)

    def _failed(self, kind: str, error: Exception) -> None:
        if self.watcher is not None:
            self.watcher.job_failed(kind, error)


class _Lane:
    """The thread of one kind of work, with room for one running and one waiting request."""

    def __init__(
        self,
        kind: str,
        deliver: Deliver,
        changed: Callable[[JobStatus], None],
        failed: Callable[[str, Exception], None],
    ) -> None:
        self.kind = kind
        self.idle = threading.Event()
        self.idle.set()
        self._deliver, self._changed, self._failed = deliver, changed, failed
        self._condition = threading.Condition()
        self._generation = 0
        self._cancelled_through = 0
        self._waiting: _Request | None = None
        self._busy = False
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name=f"spatia-{kind}", daemon=True)
        self._thread.start()
        atexit.register(self._at_exit)

    def put(
        self, work: Callable[[Progress], Any], accept: Callable[[Any], None], drop_stale: bool, not_before_s: float
    ) -> None:
        with self._condition:
            self._generation += 1
            self._waiting = _Request(self._generation, work, accept, drop_stale, not_before_s)
            self.idle.clear()
            self._condition.notify()

    def cancel(self) -> None:
        with self._condition:
            self._waiting = None
            self._cancelled_through = self._generation
            if not self._busy:
                self.idle.set()

    def close(self, timeout_s: float) -> None:
        self.cancel()
        with self._condition:
            self._closed = True
            self._condition.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _at_exit(self) -> None:
        self.close(MOST_S_AT_EXIT)

    def _loop(self) -> None:
        while (request := self._next()) is not None:
            self._run(request)
        atexit.unregister(self._at_exit)

    def _next(self) -> _Request | None:
        with self._condition:
            self._busy = False
            if self._waiting is None:
                self.idle.set()
            while not self._closed and (pause_s := self._pause_s()) > 0:
                self._condition.wait(None if pause_s == math.inf else pause_s)
            request, self._waiting = self._waiting, None
            self._busy = not self._closed
            return None if self._closed else request

    def _pause_s(self) -> float:
        """How long there is nothing to start, for all that is known."""
        return math.inf if self._waiting is None else self._waiting.not_before_s - time.monotonic()

    def _dropped(self, request: _Request) -> bool:
        """Whether a request was cancelled, or replaced by a newer one. Asked until its result has been taken."""
        replaced = request.drop_stale and request.generation < self._generation
        return replaced or request.generation <= self._cancelled_through

    def _run(self, request: _Request) -> None:
        status = JobStatus(self.kind, request.generation)
        self._deliver(lambda: self._changed(status))
        began = time.monotonic()
        try:
            result = request.work(self._reporter(request))
        except Cancelled:
            self._finish(request, status, lambda: None)
        except Exception as error:  # where a job ends: the watcher shows it
            failure = error
            _log.debug("job %s failed", self.kind, exc_info=True)
            self._finish(request, status, lambda: self._failed(self.kind, failure))
        else:
            self._finish(request, status, lambda: request.accept(result))
        if time.monotonic() - began > LONG_WORK_S:
            give_back_freed()

    def _finish(self, request: _Request, status: JobStatus, take: Callable[[], None]) -> None:
        """Hand over the end of a job. Whether it still counts is asked last, on the owner's thread."""

        def end() -> None:
            dropped = self._dropped(request)
            if request.generation == self._generation:
                self._changed(replace(status, running=False, fraction=1.0, cancelled=dropped))
            if not dropped:
                take()

        self._deliver(end)

    def _reporter(self, request: _Request) -> Progress:
        last = 0.0

        def report(fraction: float, doing: str) -> None:
            nonlocal last
            if self._dropped(request):
                raise Cancelled(self.kind)
            now = time.monotonic()
            if now - last >= REPORT_EVERY_S:
                last = now
                status = JobStatus(self.kind, request.generation, fraction=fraction, doing=doing)
                self._deliver(lambda: None if self._dropped(request) else self._changed(status))

        return report
