"""Steps in the window's loop, one a turn: it draws and answers in between."""

from collections.abc import Callable, Sequence

from napari_spatia.session.jobs import Jobs
from napari_spatia.viewer.warm_up import warm_up


def in_turns(jobs: Jobs, steps: Sequence[Callable[[], object]], wanted: Callable[[], bool]) -> None:
    """Take one step a turn as long as they are ``wanted``; the steps of a newer call replace those that wait.

    The first one waits for what napari loads before any layer (see `warm_up`).
    """

    def accept(done: None) -> None:
        if wanted():
            steps[0]()
            in_turns(jobs, steps[1:], wanted)

    if steps:
        jobs.submit("layers", lambda progress: warm_up(), accept)
