"""The real window, for pictures of it: a slide in it, a cell to look at, and a small file of any of its parts."""

from pathlib import Path

import numpy as np
from PIL import Image
from qtpy.QtCore import QPoint, QRect
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QScrollArea, QWidget

from napari_spatia.widgets.driving import Driver
from napari_spatia.widgets.host import hosts_for
from napari_spatia.widgets.launch import start

SLOW_S = 600.0
LOOK_UM = 160.0
COLOURS, KMEANS_ROUNDS = 256, 1


class PictureTaker:
    """A window of ``size_px`` (width, height) whose pictures go into the folder ``out``."""

    def __init__(self, out: Path, journal: Path, size_px: tuple[int, int], theme: str) -> None:
        self.out = out
        viewer = start(None, None, {}, sidecar=journal)
        viewer.theme = theme
        viewer.window.resize(*size_px)
        self.driver = Driver(viewer)
        self.session = self.driver.session

    def open(self, slide: Path) -> None:
        """Open a slide, and wait until its cells have colours."""
        hosts_for(self.driver.viewer).slides.open(slide)
        state = self.session.state
        self.driver.until(lambda: state.slide is not None and state.lookup is not None, "opening the slide", SLOW_S)

    def load(self, checkpoint: str) -> None:
        """Load a model, and wait until it reads the slide."""
        self.session.load_checkpoint(checkpoint)
        self.driver.ready()

    def look_at_middle(self, width_um: float = LOOK_UM) -> int:
        """Look at the cell in the middle of the slide; its row."""
        slide = self.session.slide
        cell_idx = int(np.linalg.norm(slide.centers_um - slide.centers_um.mean(axis=0), axis=1).argmin())
        y_um, x_um = slide.centers_um[cell_idx].tolist()
        self.driver.look_at(y_um, x_um, width_um)
        return cell_idx

    def shoot_dock(self, name: str, title: str, below: bool = False) -> None:
        """One dock in front of its tabs, from its top or down to its end."""
        self.to_front(title, below)
        self.shoot(name, self.driver.docks[title])

    def shoot_beside_slide(self, name: str, title: str, below: bool = False) -> None:
        """One dock, as `shoot_dock`, and the slide."""
        self.to_front(title, below)
        dock, canvas = self.driver.docks[title], self.driver.canvas
        window = canvas.window()
        places = [QRect(widget.mapTo(window, QPoint(0, 0)), widget.size()) for widget in (dock, canvas)]
        self.shoot(name, window, part=places[0].united(places[1]))

    def to_front(self, title: str, below: bool = False) -> None:
        """Bring a dock before the tabs beside it, at its top or scrolled down to its end."""
        dock = self.driver.docks[title]
        dock.raise_()
        area = dock.findChild(QScrollArea)
        assert area is not None and area.verticalScrollBar() is not None, "a dock scrolls"
        self.driver.settle()
        area.verticalScrollBar().setValue(area.verticalScrollBar().maximum() if below else 0)

    def shoot_window(self, name: str) -> None:
        """The whole window."""
        self.shoot(name, self.driver.canvas.window())

    def shoot(self, name: str, widget: QWidget, above: QWidget | None = None, part: QRect | None = None) -> None:
        """``widget`` or a ``part`` of it, and where it lies over it a list or card ``above``.

        In so few colours that the file is small.
        """
        self.driver.settle()
        pixmap = widget.grab() if part is None else widget.grab(part)
        if above is not None:
            painter = QPainter(pixmap)
            painter.drawPixmap(widget.mapFromGlobal(above.mapToGlobal(QPoint(0, 0))), above.grab())
            painter.end()
        path = self.out / f"{name}.png"
        pixmap.save(str(path))
        with Image.open(path) as picture:
            # the small squares of a legend keep their colours by the coverage, the wide background its by the mean
            few = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=KMEANS_ROUNDS)
        few.save(path, optimize=True)
