"""One session per viewer: made on first use, shared by the viewer's docks, closed with the viewer."""

import weakref
from dataclasses import dataclass
from pathlib import Path

from napari.components import ViewerModel
from napari.utils.notifications import show_error, show_info

from napari_spatia.session.backend import Backend
from napari_spatia.session.jobs import ThreadJobs
from napari_spatia.session.session import Session
from napari_spatia.session.state import Notice
from napari_spatia.viewer.camera import Camera
from napari_spatia.viewer.element_view import ElementView
from napari_spatia.viewer.pointer import Pointer
from napari_spatia.viewer.slide_view import SlideView
from napari_spatia.viewer.transcript_view import TranscriptView
from napari_spatia.viewer.warm_up import warm_up
from napari_spatia.widgets.delivery import GuiDelivery
from napari_spatia.widgets.hover_card import HoverTips
from napari_spatia.widgets.rests import Rests


@dataclass(slots=True)
class Host:
    """What belongs to one viewer; holds the viewer by a weak reference only."""

    session: Session
    view: SlideView
    delivery: GuiDelivery
    rests: Rests
    pointer: Pointer
    tips: HoverTips
    camera: Camera
    transcripts: TranscriptView
    elements: ElementView

    def close(self) -> None:
        """Stop all work and let go of the viewer."""
        self.session.state.events.notice.disconnect(show_notice, missing_ok=True)
        self.delivery.close()
        self.rests.close()
        self.tips.close()
        self.pointer.close()
        self.camera.close()
        self.transcripts.close()
        self.elements.close()
        self.view.close()
        self.session.close()


_hosts: "weakref.WeakKeyDictionary[ViewerModel, Host]" = weakref.WeakKeyDictionary()


def host_for(viewer: ViewerModel, backend: Backend | None = None, sidecar: Path | None = None) -> Host:
    """The viewer's host; its first caller may choose the session's ``backend`` and ``sidecar``."""
    # napari hands plugins a proxy of the viewer: take it off, so that one viewer is one key.
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _hosts:
        delivery = GuiDelivery()
        session = Session(ThreadJobs(delivery.deliver), backend, sidecar)
        session.state.events.notice.connect(show_notice)
        rests = Rests()
        view = SlideView(viewer, session)
        host = Host(
            session, view, delivery, rests, Pointer(viewer, session, rests), HoverTips(session.state),
            Camera(viewer, session, rests), TranscriptView(viewer, session), ElementView(viewer, session, view),
        )  # fmt: skip
        weakref.finalize(viewer, host.close).atexit = False
        _hosts[viewer] = host
        session.jobs.submit("warm up", lambda progress: warm_up(), lambda done: None)
    return _hosts[viewer]


def session_for(viewer: ViewerModel) -> Session:
    """The viewer's session."""
    return host_for(viewer).session


def show_notice(notice: Notice) -> None:
    """One message in napari's own place for messages."""
    (show_error if notice.is_error else show_info)(notice.text)
