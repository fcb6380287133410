"""Where the docks go: the Explorer beside the layer list on the left, the cell's docks as tabs on the right."""

from napari.viewer import Viewer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow

PLUGIN = "napari-spatia"
EXPLORER, CELL, CELLS_MAP, ANNOTATE = "Explorer", "Cell", "Cells map", "Annotate"
SCREENS, COMPARE, TRANSCRIPTS = "Screens", "Compare", "Transcripts"
ELEMENTS, EXPORT = "Elements", "Export"
DOCKS = (EXPLORER, CELL, SCREENS, CELLS_MAP, COMPARE, ANNOTATE, TRANSCRIPTS, ELEMENTS, EXPORT)
LEFT_PX, RIGHT_PX = 290, 430


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


def _arrange(docks: dict[str, QDockWidget], new: list[str]) -> None:
    window = next(iter(docks.values())).parent()
    if not isinstance(window, QMainWindow):
        return
    if EXPLORER in new:
        _beside_layers(window, docks[EXPLORER])
    right = [docks[name] for name in DOCKS if name in docks and name != EXPLORER]
    for dock in right[1:]:
        window.tabifyDockWidget(right[0], dock)
    if right:
        _in_front(right[0])
        window.resizeDocks([right[0]], [RIGHT_PX], Qt.Orientation.Horizontal)


def _beside_layers(window: QMainWindow, explorer: QDockWidget) -> None:
    """The Explorer and napari's layer docks become tabs, each of the window's full height."""
    left = Qt.DockWidgetArea.LeftDockWidgetArea
    own = [dock for dock in window.findChildren(QDockWidget) if window.dockWidgetArea(dock) == left]
    window.addDockWidget(left, explorer)
    for dock in own:
        if dock is not explorer and dock.isVisible():
            window.tabifyDockWidget(explorer, dock)
    _in_front(explorer)
    window.resizeDocks([explorer], [LEFT_PX], Qt.Orientation.Horizontal)


def _in_front(dock: QDockWidget) -> None:
    """Show this tab of its group; its tab bar exists only after the event loop has seen the group."""
    QTimer.singleShot(0, dock.raise_)
