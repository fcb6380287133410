"""The slides that are open side by side, each with a session of its own. The one in front is seen and edited."""

import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_spatia.errors import SpatiaError
from napari_spatia.session.jobs import JobStatus
from napari_spatia.session.session import Session
from napari_spatia.session.state import Notice


class Slides:
    """There is always a session in front; it has no slide until one is opened.

    ``changed`` tells that the list, or the name of one in it, is another; ``fronted`` which session came to the front;
    ``left`` which session has been taken off the list and is about to be closed.
    """

    changed = Signal()
    fronted = Signal(Session)
    left = Signal(Session)

    def __init__(self, new_session: Callable[[], Session]) -> None:
        self._new_session = new_session
        self._paths: dict[Session, Path] = {}
        self._sessions: list[Session] = []
        self._front = self._add()

    @property
    def sessions(self) -> tuple[Session, ...]:
        """All sessions, in the order in which their slides were opened."""
        return tuple(self._sessions)

    @property
    def front(self) -> Session:
        return self._front

    def open(self, path: str | Path, **choices: Any) -> Session:
        """Open a slide beside the others and bring it to the front; ``choices`` are the keywords of `open_slide`.

        A slide that is open already only comes to the front, unless ``choices`` ask for other elements of it.
        """
        return self._open(Path(path), lambda session: session.open(path, **choices), anew=bool(choices))

    def open_simulated(self, path: Path, num_cells: int, seed: int) -> Session:
        """Open a simulated tissue beside the others; see `Session.open_simulated`."""
        return self._open(path, lambda session: session.open_simulated(path, num_cells, seed))

    def bring(self, session: Session) -> None:
        """Bring a slide to the front."""
        if session is self._front:
            return
        self._front.point_away()
        self._front.state.in_front = False
        self._front = session
        self.fronted.emit(session)
        session.state.in_front = True
        self.changed.emit()

    def close(self, session: Session) -> None:
        """Close a slide: its jobs are stopped without waiting for them; its journal is on disk already."""
        if session not in self._sessions:
            return
        place = self._sessions.index(session)
        self._sessions.remove(session)
        self._paths.pop(session, None)
        if session is self._front:
            others = self._sessions or [self._add()]
            self.bring(others[min(place, len(others) - 1)])
        self.left.emit(session)
        session.close(wait_s=0.0)
        self.changed.emit()

    def close_all(self) -> None:
        """End all work, with the window."""
        for session in self._sessions:
            session.close()

    def title(self, session: Session) -> str:
        """What a slide is called in the list: its name, with its folder where two have the same one."""
        path = self.path(session)
        if path is None:
            return "no slide"
        alike = [other for other in self._sessions if (of := self.path(other)) is not None and of.name == path.name]
        name = path.name.removesuffix(".zarr")
        return f"{path.parent.name}/{name}" if len(alike) > 1 else name

    def path(self, session: Session) -> Path | None:
        """Where a session's slide lies, also while it is being opened; None where none is."""
        slide = session.state.slide
        return slide.path if slide is not None else self._paths.get(session)

    def _open(self, path: Path, how: Callable[[Session], None], anew: bool = False) -> Session:
        paths = {session: of.resolve() for session in self._sessions if (of := self.path(session)) is not None}
        known = next((session for session, of in paths.items() if of == path.resolve()), None)
        empty = self._front if self._front not in paths else None
        session = known or empty or self._add(self._front)
        self._paths[session] = path
        self.bring(session)
        self.changed.emit()
        if known is None or anew:
            try:
                how(session)
            except SpatiaError:  # of a script's jobs, which run at once
                self._give_up(session)
                raise
        return session

    def _add(self, like: Session | None = None) -> Session:
        """A session more, which reads with the checkpoint that session ``like`` has loaded."""
        session = self._new_session()
        session.state.in_front = not self._sessions
        self._sessions.append(session)
        known = weakref.ref(session)  # what an event of the session calls must not keep it: psygnal is not collected
        session.state.events.slide.connect(lambda slide: self.changed.emit())
        session.state.events.jobs.connect(lambda jobs: self._check_cancelled(known(), jobs))
        session.state.events.notice.connect(lambda notice: self._check_failed(known(), notice))
        if like is not None:
            session.read_like(like)
        return session

    def _check_cancelled(self, session: Session | None, jobs: Mapping[str, JobStatus]) -> None:
        if session is not None and "open" in jobs and jobs["open"].cancelled:
            self._give_up(session)

    def _check_failed(self, session: Session | None, notice: Notice) -> None:
        opening = None if session is None else session.state.jobs.get("open")
        if session is not None and notice.is_error and opening is not None and not opening.running:
            self._give_up(session)

    def _give_up(self, session: Session) -> None:
        """A slide that could not be opened leaves the list; the last one stays, to take the next slide."""
        if session.state.slide is None and session in self._paths:
            del self._paths[session]
            if len(self._sessions) > 1:
                self.close(session)
            self.changed.emit()
