"""The slides of each viewer: one session a slide, made on first use, shared by the viewer's docks, closed with it."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari.components import ViewerModel
from napari.utils.notifications import show_error, show_info

from napari_spatia.session.backend import Backend
from napari_spatia.session.jobs import ThreadJobs
from napari_spatia.session.session import Session
from napari_spatia.session.slides import Slides
from napari_spatia.session.state import Notice
from napari_spatia.viewer.camera import Camera
from napari_spatia.viewer.element_view import ElementView
from napari_spatia.viewer.layer_owners import LayerOwners
from napari_spatia.viewer.letters import draw_letters
from napari_spatia.viewer.neighbour_view import NeighbourView
from napari_spatia.viewer.patch_view import PatchView
from napari_spatia.viewer.picking import pick_without_drawing
from napari_spatia.viewer.pointer import Pointer, Rest
from napari_spatia.viewer.polygon_view import PolygonView
from napari_spatia.viewer.read_ahead import ReadAhead
from napari_spatia.viewer.slide_view import SlideView
from napari_spatia.viewer.transcript_view import TranscriptView
from napari_spatia.viewer.turns import in_turns
from napari_spatia.viewer.unread import Unread
from napari_spatia.viewer.unsaved import Unsaved
from napari_spatia.viewer.warm_up import warm_up
from napari_spatia.widgets.delivery import GuiDelivery
from napari_spatia.widgets.hover_card import HoverTips
from napari_spatia.widgets.opaque_canvas import paint_nothing_behind
from napari_spatia.widgets.rests import Rests


@dataclass(slots=True)
class Host:
    """What belongs to one slide of a viewer; holds the viewer by a weak reference only."""

    session: Session
    view: SlideView
    delivery: GuiDelivery
    rests: Rests
    pointer: Pointer
    tips: HoverTips
    camera: Camera
    read_ahead: ReadAhead
    transcripts: TranscriptView
    neighbours: NeighbourView
    polygons: PolygonView
    patches: PatchView
    elements: ElementView
    unsaved: Unsaved

    def close(self) -> None:
        """Stop all work, without waiting for it, and let go of the viewer."""
        self.let_go()
        self.session.close(wait_s=0.0)

    def let_go(self) -> None:
        """Let go of the viewer; what is still delivered is dropped."""
        self.session.state.events.notice.disconnect(show_notice, missing_ok=True)
        self.delivery.close()
        self.rests.close()
        self.tips.close()
        self.pointer.close()
        self.camera.close()
        self.read_ahead.close()
        self.transcripts.close()
        self.patches.close()
        self.neighbours.close()
        self.polygons.close()
        self.elements.close()
        self.unsaved.close()
        self.view.close()


class SlideHosts:
    """The open slides of one viewer with the `Host` of each."""

    def __init__(self, viewer: ViewerModel, backend: Backend | None, sidecar: Path | None) -> None:
        self._viewer = weakref.ref(viewer)
        self._backend, self._sidecar = backend, sidecar
        self._delivery = GuiDelivery()
        self._owners = LayerOwners(viewer)
        self.unread = Unread(viewer, self._delivery.deliver)
        self._num_made = 0
        self.hosts: dict[Session, Host] = {}
        self.slides = Slides(self._new_session)
        self._owners.bring(self.slides.front)
        self.slides.fronted.connect(self._owners.bring)
        self.slides.left.connect(self._leave)
        self.slides.changed.connect(self._name)

    @property
    def front(self) -> Host:
        return self.hosts[self.slides.front]

    def viewer_gone(self) -> None:
        """Close on the GUI thread; from any thread, as any may be the one that collects the viewer as garbage.

        A widget that another thread closes waits for the GUI thread, which waits for the interpreter's lock.
        """
        self._delivery.deliver(self.close)

    def close(self) -> None:
        """Stop all work and let go of the viewer."""
        for host in self.hosts.values():
            host.close()
        self.unread.close()
        self._owners.close()

    def _new_session(self) -> Session:
        viewer = self._viewer()
        assert viewer is not None, "its docks ask for a session"
        delivery, rests = GuiDelivery(), Rests()

        def deliver(call: Callable[[], None]) -> None:
            delivery.deliver(lambda: self._owners.act(session, call))

        session = Session(ThreadJobs(deliver), self._backend, self._own_sidecar())
        session.state.events.notice.connect(show_notice)
        view = SlideView(viewer, session, rests)
        self.hosts[session] = Host(
            session, view, delivery, rests, Pointer(viewer, session, rests), HoverTips(session.state),
            Camera(viewer, session, rests), ReadAhead(viewer, session, rests, lambda: self.unread.is_reading),
            TranscriptView(viewer, session), NeighbourView(viewer, session), PolygonView(viewer, session),
            PatchView(viewer, session, view, rests), ElementView(viewer, session, view),
            Unsaved(viewer, session),
        )  # fmt: skip
        return session

    def _own_sidecar(self) -> Path | None:
        """Each slide has a folder of its own in the one that was asked for: journals are named after tables only."""
        self._num_made += 1
        if self._sidecar is None or self._num_made == 1:
            return self._sidecar
        return self._sidecar / f"slide-{self._num_made}"

    def _leave(self, session: Session) -> None:
        self.hosts.pop(session).let_go()
        self._owners.remove(session)

    def _name(self) -> None:
        self._owners.name({session: self.slides.title(session) for session in self.slides.sessions})


_hosts: "weakref.WeakKeyDictionary[ViewerModel, SlideHosts]" = weakref.WeakKeyDictionary()


def hosts_for(viewer: ViewerModel, backend: Backend | None = None, sidecar: Path | None = None) -> SlideHosts:
    """The viewer's slides; the first caller may choose the sessions' ``backend`` and ``sidecar``."""
    # napari hands plugins a proxy of the viewer: take it off, so that one viewer is one key.
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _hosts:
        made = SlideHosts(viewer, backend, sidecar)
        weakref.finalize(viewer, made.viewer_gone).atexit = False
        _hosts[viewer] = made
        pick_without_drawing(viewer)
        paint_nothing_behind(viewer)
        in_turns(made.slides.front.jobs, draw_letters(viewer), lambda: True)
        made.slides.front.jobs.submit("warm up", lambda progress: warm_up(), lambda done: None)
    return _hosts[viewer]


def host_for(viewer: ViewerModel, backend: Backend | None = None, sidecar: Path | None = None) -> Host:
    """The host of the slide that is in front."""
    return hosts_for(viewer, backend, sidecar).front


def slides_for(viewer: ViewerModel) -> Slides:
    """The viewer's open slides."""
    return hosts_for(viewer).slides


def rest_of(viewer: ViewerModel) -> Callable[[Session], Rest]:
    """The pauses of an open slide's docks: they end with its slide."""
    hosts = hosts_for(viewer)
    return lambda session: hosts.hosts[session].rests


def session_for(viewer: ViewerModel) -> Session:
    """The session of the slide that is in front."""
    return slides_for(viewer).front


def show_notice(notice: Notice) -> None:
    """One message in napari's own place for messages."""
    (show_error if notice.is_error else show_info)(notice.text)
