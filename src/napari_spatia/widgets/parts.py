"""Small pieces that several docks are made of."""

from collections.abc import Callable

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QRect, QSize, Qt
from qtpy.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QPainter, QPaintEvent, QShortcut, QShowEvent
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QStyleOption,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_spatia.errors import SpatiaError
from napari_spatia.session.jobs import JobStatus
from napari_spatia.session.session import Session
from napari_spatia.session.state import SessionState
from napari_spatia.viewer.keys import Key
from napari_spatia.viewer.pointer import Rest, at_once
from napari_spatia.widgets.tab_order import TabOrder

MARGIN_PX = 6
INDENT_PX = 4
"""Of a label's text, in napari's style."""
BOLD_PX = 1
"""By how much a line with bold words is higher."""
TICK_BOXES = """
QAbstractItemView::indicator { width: 11px; height: 11px; border: 1px solid #808890; border-radius: 2px; }
QAbstractItemView::indicator:checked { background: #5a7bd0; }
"""
"""Style of a tree or list with boxes to tick; napari's draws none where nothing is ticked."""


def hint(text: str) -> QLabel:
    """Quiet text that says what to do; wraps."""
    label = QLabel(text)
    label.setWordWrap(True)
    font = label.font()
    font.setItalic(True)
    label.setFont(font)
    return label


def quiet_line() -> QElidingLabel:
    """Quiet text of one line: what has no room ends in ``…``, so that nothing below moves when it changes."""
    label = QElidingLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)  # rich text is laid out more slowly
    font = label.font()
    font.setItalic(True)
    label.setFont(font)
    return label


class FixedLines(QLabel):
    """Text that wraps, in the room of ``lines`` lines whatever it says: nothing below moves when it changes."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self._lines = lines
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setIndent(0)  # Qt indents at the top too
        self.setContentsMargins(INDENT_PX, 0, 0, 0)

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self._room())

    def minimumSizeHint(self) -> QSize:
        return QSize(super().minimumSizeHint().width(), self._room())

    def heightForWidth(self, width: int) -> int:
        return self._room()

    def _room(self) -> int:
        return self._lines * (self.fontMetrics().lineSpacing() + BOLD_PX) + 2 * self.frameWidth()


def heading(text: str) -> QLabel:
    """Title of a section of a dock."""
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def column(*widgets: QWidget, margin: int = 0, spacing: int = 4) -> QWidget:
    """Widgets below each other, as tall as they need."""
    box = QWidget()
    layout = QVBoxLayout(box)
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.setSpacing(spacing)
    for widget in widgets:
        layout.addWidget(widget)
    return box


def row(*widgets: QWidget) -> QWidget:
    """Widgets beside each other."""
    box = QWidget()
    layout = QHBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for widget in widgets:
        layout.addWidget(widget)
    return box


def line() -> QFrame:
    """A thin line between two sections."""
    frame = QFrame()
    frame.setFrameShape(QFrame.Shape.HLine)
    frame.setFixedHeight(1)
    return frame


def button(text: str, tooltip: str, clicked: Callable[[], None]) -> QPushButton:
    """A push button that is no wider than it must be."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    made.clicked.connect(lambda _checked=False: clicked())
    return made


def named(widget: QWidget, name: str, tooltip: str = "") -> None:
    """What a screen reader says of a control that has no words of its own, and its tooltip: by default the same."""
    widget.setAccessibleName(name)
    widget.setToolTip(tooltip or name)


def small_button(text: str, tooltip: str, clicked: Callable[[], None]) -> QToolButton:
    """A tool button of one sign."""
    made = QToolButton()
    made.setText(text)
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    named(made, tooltip)
    made.clicked.connect(lambda _checked=False: clicked())
    return made


def passes_text(nfe: int) -> str:
    """A number of the decoder's passes in words."""
    return "1 pass" if nfe == 1 else f"{nfe} passes"


def is_pressed(key: Key, event: QKeyEvent) -> bool:
    """Whether ``event`` is the press of a declared key, on the number pad too."""
    pad = Qt.KeyboardModifier.KeypadModifier.value
    pressed = event.modifiers().value & ~pad | (Qt.Key.Key_Return if event.key() == Qt.Key.Key_Enter else event.key())
    return QKeySequence(pressed) == QKeySequence(key.key)


def scrolled(content: QWidget) -> QScrollArea:
    """A dock's content with a vertical scroll bar when the window is low; never a horizontal one."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    return area


class Body(QVBoxLayout):
    """A scrolled column that grows with its words at once.

    Qt lays it out at its old height first and makes it taller after that: everything in it would jump up and back, and
    be painted twice more.
    """

    def setGeometry(self, rect: QRect) -> None:
        content = self.parentWidget()
        needed = self.totalHeightForWidth(rect.width())
        if content is not None and rect.height() < needed:
            content.resize(rect.width(), needed)  # lays out too
        if content is None or content.rect() == rect:
            super().setGeometry(rect)


class Surface(QWidget):
    """Holds a dock's content and is put on the screen by itself.

    A change anywhere in a window that shows OpenGL makes Qt compose the whole window anew, in software 25 ms for each
    step of a slider. A native window that nothing behind shines through is drawn alone. Only where it was tried: X11.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(content)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        if QGuiApplication.platformName() == "xcb":
            self.setAttribute(Qt.WidgetAttribute.WA_NativeWindow)

    def event(self, event: QEvent) -> bool:
        """A style sheet takes the attribute off whenever it is applied."""
        done = super().event(event)
        if event.type() in (QEvent.Type.Polish, QEvent.Type.StyleChange):
            self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        return done

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOption()
        option.initFrom(self)
        painter = QPainter(self)
        self.style().drawPrimitive(QStyle.PrimitiveElement.PE_Widget, option, painter, self)
        painter.end()


class Dock(QWidget):
    """Base of the docks: holds the session, tells errors once, and lets go of the state when it is closed.

    ``rest`` with a pause of 0 ms calls once the window has drawn what changed.
    """

    def __init__(self, session: Session, rest: Rest = at_once) -> None:
        super().__init__()
        self.session = session
        self._rest = rest
        self._late: dict[Callable[[], None], None] = {}
        self._connected: list[tuple[str, Callable[..., None]]] = []
        self._keys: dict[Key, Callable[[], None]] = {}
        self._shortcuts_of_window: list[QShortcut] = []
        self.listening = True
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self._content = QWidget()
        self.body = Body(self._content)
        self.body.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        self.body.setSpacing(5)
        outer.addWidget(Surface(scrolled(self._content)))
        TabOrder(self._content)
        self.destroyed.connect(lambda *_: self.release())

    @property
    def state(self) -> SessionState:
        return self.session.state

    def watch(self, synchronize: Callable[[], None], *fields: str) -> None:
        """Call ``synchronize`` when one of the state's fields changes, and once now."""

        def changed(*_values: object) -> None:
            synchronize()

        for name in fields:
            self.state.events[name].connect(changed)
            self._connected.append((name, changed))
        synchronize()

    def watch_late(self, synchronize: Callable[[], None], *fields: str) -> None:
        """As `watch`, but after the slide: once for all changes of one turn, when the slide has been drawn.

        Qt composes the whole window anew where a widget and an OpenGL canvas change together.
        """

        def changed() -> None:
            self._late[synchronize] = None
            self._rest(f"dock {id(self)}", 0, self._synchronize_late)

        self.watch(changed, *fields)

    def _synchronize_late(self) -> None:
        late, self._late = self._late, {}
        for synchronize in late:
            synchronize()

    def bind_key(self, key: Key, action: Callable[[], None]) -> None:
        """Call ``action`` when a key is pressed anywhere in the dock's window, while another dock is in front too."""
        self._keys[key] = action

    def showEvent(self, event: QShowEvent | None) -> None:
        """The window is known once the dock is shown."""
        super().showEvent(event)
        for key in list(self._keys):
            made = QShortcut(QKeySequence(key.key), self.window())
            made.setAutoRepeat(False)
            made.activated.connect(self._keys.pop(key))
            self._shortcuts_of_window.append(made)

    def listen(self, on: bool) -> None:
        """Listen to keys, or leave them to the page of another slide."""
        self.listening = on
        for shortcut in filter(isalive, self._shortcuts_of_window):
            shortcut.setEnabled(on)

    def release(self) -> None:
        """Stop listening to the state and to keys."""
        for shortcut in filter(isalive, self._shortcuts_of_window):
            shortcut.setEnabled(False)
        self._shortcuts_of_window = []
        for name, changed in self._connected:
            self.state.events[name].disconnect(changed, missing_ok=True)
        self._connected, self._late = [], {}

    def attempt(self, verb: Callable[..., object], *values: object) -> None:
        """Call a verb; its error about the input becomes a message to the person."""
        try:
            verb(*values)
        except SpatiaError as error:
            self.session.tell_error(str(error))


def headed(title: QLabel, busy: "Busy") -> QWidget:
    """A section's title and its work's progress in one row, which is as high while nothing runs."""
    policy = busy.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    policy.setHorizontalPolicy(QSizePolicy.Policy.Expanding)
    busy.setSizePolicy(policy)
    return row(title, busy)


class Busy(QWidget):
    """Progress of one kind of job with a button that stops it; takes no room while nothing runs."""

    def __init__(self, dock: Dock, *kinds: str) -> None:
        super().__init__()
        self._session, self._kinds = dock.session, kinds
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.bar.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.stop = small_button("✕", "Stop", self._stop)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar, 1)
        layout.addWidget(self.stop)
        self._shown: JobStatus | None = None
        self.hide()
        dock.watch(self.synchronize, "jobs")

    def synchronize(self) -> None:
        """Nothing where a job of another kind changed: that is heard many times a second while a slider moves."""
        jobs = self._session.state.jobs
        status = next((jobs[kind] for kind in self._kinds if kind in jobs and jobs[kind].running), None)
        if status == self._shown:
            return
        self._shown = status
        self.setVisible(status is not None)
        if status is not None:
            most = 100 if status.fraction > 0 else 0
            self.bar.setUpdatesEnabled(False)  # Qt would paint the bar at once, and the window with it, for each call
            self.bar.setRange(0, most)
            self.bar.setValue(round(status.fraction * 100))
            self.bar.setFormat(f"{status.doing or status.kind} %p%")
            self.bar.setUpdatesEnabled(True)

    def _stop(self) -> None:
        for kind in self._kinds:
            self._session.jobs.cancel(kind)
