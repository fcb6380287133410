"""Where the docks go: the Explorer beside the layer list on the left, the cell's docks as tabs on the right."""

from napari.viewer import Viewer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar, QWidget

PLUGIN = "napari-spatia"
EXPLORER, CELL, CELLS_MAP, ANNOTATE = "Explorer", "Cell", "Cells map", "Annotate"
SCREENS, COMPARE, TRANSCRIPTS = "Screens", "Compare", "Transcripts"
ELEMENTS, EXPORT = "Elements", "Export"
DOCKS = (EXPLORER, CELL, SCREENS, CELLS_MAP, COMPARE, ANNOTATE, TRANSCRIPTS, ELEMENTS, EXPORT)
ON_THE_LEFT = (EXPLORER, ELEMENTS)
"""What tells of the slide, beside napari's own docks; all others are tabs on the right."""
LEFT_PX, RIGHT_PX = 322, 430
TABS = "QTabBar::tab { padding: 3px; }"
"""So that the names of all tabs are read whole."""


def show_docks(viewer: Viewer, names: tuple[str, ...] = DOCKS) -> dict[str, QDockWidget]:
    """Open the named docks where they are not open yet, and arrange those that are new."""
    docks, new = {}, []
    for name in names:
        before = set(viewer.window.dock_widgets)
        dock, _ = viewer.window.add_plugin_dock_widget(PLUGIN, name)
        dock.setWindowTitle(name)
        docks[name] = dock
        if set(viewer.window.dock_widgets) != before:
            new.append(name)
    if new:
        _arrange(docks, new)
    return docks


def dock_around(widget: QWidget) -> QDockWidget | None:
    """The dock that a widget lies in."""
    around: QWidget | None = widget
    while around is not None and not isinstance(around, QDockWidget):
        around = around.parentWidget()
    return around


def is_in_front(widget: QWidget) -> bool:
    """Whether a dock's content is shown, and no other tab before it: Qt moves docks behind a tab out of the window."""
    dock = dock_around(widget)
    if dock is None or dock.isFloating() or not widget.isVisible():
        return widget.isVisible()
    return dock.parentWidget().rect().intersects(dock.geometry())


def _arrange(docks: dict[str, QDockWidget], new: list[str]) -> None:
    window = next(iter(docks.values())).parent()
    if not isinstance(window, QMainWindow):
        return
    left = [docks[name] for name in ON_THE_LEFT if name in new]
    if left:
        _beside_layers(window, left)
    right = [docks[name] for name in DOCKS if name in docks and name not in ON_THE_LEFT]
    for dock in right[1:]:
        window.tabifyDockWidget(right[0], dock)
    if right:
        _in_front(right[0])
        window.resizeDocks([right[0]], [RIGHT_PX], Qt.Orientation.Horizontal)


def _beside_layers(window: QMainWindow, new: list[QDockWidget]) -> None:
    """The docks of the slide and napari's layer docks become tabs, each of the window's full height."""
    left = Qt.DockWidgetArea.LeftDockWidgetArea
    own = [dock for dock in window.findChildren(QDockWidget) if window.dockWidgetArea(dock) == left]
    first, *others = new
    window.addDockWidget(left, first)
    for dock in (*others, *own):
        if dock is not first and (dock in others or dock.isVisible()):
            window.tabifyDockWidget(first, dock)
    _in_front(first)
    window.resizeDocks([first], [LEFT_PX], Qt.Orientation.Horizontal)


def _in_front(dock: QDockWidget) -> None:
    """Show this tab of its group; its tab bar exists only after the event loop has seen the group."""

    def show() -> None:
        dock.raise_()
        window = dock.parent()
        for bar in window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
            bar.setElideMode(Qt.TextElideMode.ElideNone)
            bar.setStyleSheet(TABS)

    QTimer.singleShot(0, show)
