"""Where the docks go: the Explorer beside the layer list on the left, the cell's docks as tabs on the right."""

from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow

PLUGIN = "napari-spatia"
EXPLORER, CELL, ANNOTATE, EXPORT = "Explorer", "Cell", "Annotate", "Export"
DOCKS = (EXPLORER, CELL, ANNOTATE, EXPORT)
LEFT_PX, RIGHT_PX = 300, 410


def show_docks(viewer: Viewer, names: tuple[str, ...] = DOCKS) -> dict[str, QDockWidget]:
    """Open the named docks where they are not open yet, and arrange those that are new."""
    docks, new = {}, []
    for name in names:
        before = set(viewer.window.dock_widgets)
        dock, _ = viewer.window.add_plugin_dock_widget(PLUGIN, name)
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
    right = [docks[name] for name in (CELL, ANNOTATE, EXPORT) if name in docks]
    for dock in right[1:]:
        window.tabifyDockWidget(right[0], dock)
    if right:
        right[0].raise_()
        window.resizeDocks([right[0]], [RIGHT_PX], Qt.Orientation.Horizontal)


def _beside_layers(window: QMainWindow, explorer: QDockWidget) -> None:
    """The Explorer becomes a tab in front of napari's layer list and controls."""
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, explorer)
    own = [
        dock
        for dock in window.findChildren(QDockWidget)
        if dock is not explorer and window.dockWidgetArea(dock) == Qt.DockWidgetArea.LeftDockWidgetArea
    ]
    for dock in sorted(own, key=lambda dock: dock.windowTitle()):
        if dock.isVisible():
            window.tabifyDockWidget(dock, explorer)
    explorer.raise_()
    window.resizeDocks([explorer], [LEFT_PX], Qt.Orientation.Horizontal)
