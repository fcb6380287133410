import sys
import threading

import pytest

from napari_spatia.data.quick_turns import INTERVAL_S, quick_turns


def test_the_usual_interval_comes_back_when_the_last_thread_leaves():
    usual = sys.getswitchinterval()
    entered, leave = threading.Event(), threading.Event()

    def other():
        with quick_turns():
            entered.set()
            assert leave.wait(10)

    thread = threading.Thread(target=other)
    with pytest.raises(KeyError), quick_turns():
        thread.start()
        assert entered.wait(10)
        assert sys.getswitchinterval() == pytest.approx(INTERVAL_S)
        raise KeyError
    assert sys.getswitchinterval() == pytest.approx(INTERVAL_S), "the other is still inside"
    leave.set()
    thread.join(10)
    assert sys.getswitchinterval() == pytest.approx(usual)
