"""The pictures of one cell: real, zero edit, counterfactual and difference, all on one scale."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent, QPalette, QPen, QPixmap
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_spatia.data import picture as pictures
from napari_spatia.session.state import CellCrop

if TYPE_CHECKING:
    from napari_spatia.inference.perturb import Counterfactual, SelectedCell

SIDE_PX, SMALL_SIDE_PX = 192, 96
"""Width and height of a picture on a tall and on a low screen; crops are enlarged by a whole number, about to that."""
TALL_COLUMNS, LOW_COLUMNS = 2, 4
SCALE_BAR_UM = 5.0
VEIL = QColor(0, 0, 0, 170)


class PictureView(QWidget):
    """One picture; says `painted` once its pixels have been drawn."""

    painted = Signal()

    def __init__(self, empty: str) -> None:
        super().__init__()
        self._empty = empty
        self._veil = ""
        self._pixmap: QPixmap | None = None
        self._fresh = False
        self.setFixedSize(SIDE_PX, SIDE_PX)

    @property
    def has_picture(self) -> bool:
        return self._pixmap is not None

    @property
    def veil_words(self) -> str:
        """What the picture is veiled by, nothing while it is not."""
        return self._veil

    def veil(self, words: str) -> None:
        """Lay a veil over the picture, with a few ``words`` on it; take it off where there are none."""
        if words != self._veil:
            self._veil = words
            self.setAccessibleDescription(words)
            self.update()

    def show_picture(self, picture: NDArray[np.uint8] | None) -> None:
        """Show `(H, W, 3)` uint8, or the words of the empty state."""
        if picture is None:
            self._pixmap = None
        else:
            height, width = picture.shape[:2]
            data = np.ascontiguousarray(picture)
            image = QImage(data.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
            self._pixmap = QPixmap.fromImage(image)
            self._fresh = True
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._pixmap is None:
            words_colour = self.palette().color(QPalette.ColorRole.WindowText)  # a pen by style alone is black
            painter.setPen(QPen(words_colour, 1, Qt.PenStyle.DotLine))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
            words = self.rect().adjusted(12, 12, -12, -12)
            painter.drawText(words, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._empty)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(self.rect(), self._pixmap)
            if self._veil:
                painter.fillRect(self.rect(), VEIL)
                painter.setPen(Qt.GlobalColor.white)
                painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._veil)
        painter.end()
        if self._fresh:
            self._fresh = False
            self.painted.emit()


@dataclass(frozen=True, slots=True)
class CellPictures:
    """What is known of the selected cell's looks; ``limits`` `(C, 2)` and ``colours`` `(C, 3)` are those of the slide
    on screen, in the order of its own ``channels``. ``stain`` is the one that is shown, None for all together.
    """

    crop: CellCrop | None
    cell: "SelectedCell | None"
    counterfactual: "Counterfactual | None"
    limits: NDArray[np.float32] | None
    channels: tuple[str, ...]
    colours: NDArray[np.float32] | None = None
    stain: str | None = None


def _limits(seen: CellPictures, cell: "SelectedCell") -> NDArray[np.float32]:
    """Display limits in the order of the model's channels."""
    if seen.limits is None:
        return pictures.display_limits(cell.zero_edit)
    return pictures.limits_by_channel(cell.channels, cell.zero_edit, seen.channels, seen.limits)


def _shown_stains(seen: CellPictures, channels: tuple[str, ...]) -> list[int]:
    """Positions of the stains to show: the one that was asked for, if the picture has it."""
    return [channels.index(seen.stain)] if seen.stain in channels else list(range(len(channels)))


class PictureGrid(QWidget):
    """Four titled pictures, in two rows or, small, in one."""

    def __init__(self) -> None:
        super().__init__()
        self.real = PictureView("Click a cell")
        self.zero_edit = PictureView("Redrawn by the model, nothing edited")
        self.edited = PictureView("The cell under your edit")
        self.difference = PictureView("What the edit changed")
        self._titles: list[QLabel] = []
        self._drawn: CellPictures | None = None
        self._side_px = SIDE_PX
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(3)
        self._views = (self.real, self.zero_edit, self.edited, self.difference)
        views = (
            ("Real", self.real, "The cell as it is on the slide"),
            ("Zero edit", self.zero_edit, "The same cell redrawn by the model with nothing edited"),
            ("Counterfactual", self.edited, "Generated: how the cell would look with the edited genes"),
            ("Difference", self.difference, "Counterfactual minus zero edit: orange brighter, blue darker"),
        )
        for title, view, tooltip in views:
            label = QLabel(title)
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            view.setToolTip(tooltip)
            view.setAccessibleName(f"Picture: {title}")
            self._titles.append(label)
        self._place(TALL_COLUMNS)

    def _place(self, columns: int) -> None:
        for number, (label, view) in enumerate(zip(self._titles, self._views, strict=True)):
            line, place = divmod(number, columns)
            self._layout.addWidget(label, 2 * line, place, Qt.AlignmentFlag.AlignHCenter)
            self._layout.addWidget(view, 2 * line + 1, place, Qt.AlignmentFlag.AlignHCenter)

    def set_tall(self, tall: bool) -> None:
        """Large pictures in two rows, or small ones in one."""
        side_px = SIDE_PX if tall else SMALL_SIDE_PX
        if side_px == self._side_px:
            return
        self._side_px = side_px
        self._place(TALL_COLUMNS if tall else LOW_COLUMNS)
        for view in self._views:
            view.setFixedSize(side_px, side_px)
        if self._drawn is not None:
            seen, self._drawn = self._drawn, None
            self.show_cell(seen)

    def show_cell(self, seen: CellPictures) -> None:
        """Draw what changed since the last call."""
        drawn, self._drawn = self._drawn, seen
        new_cell = drawn is None or any(
            getattr(drawn, name) is not getattr(seen, name) for name in ("cell", "crop", "limits", "colours", "stain")
        )
        if new_cell:
            self._show_real(seen)
            self._show_zero_edit(seen)
        if new_cell or drawn is None or drawn.counterfactual is not seen.counterfactual:
            self._show_edited(seen)

    def _show_real(self, seen: CellPictures) -> None:
        shown, crop, cell = None, seen.crop, seen.cell
        if cell is not None and crop is not None:
            shown = self._stained(seen, cell.real, cell.channels, _limits(seen, cell), cell.um_per_px)
        elif crop is not None:
            shown = self._stained(seen, crop.image, crop.channels, seen.limits, crop.um_per_px)
        self.real.show_picture(shown)

    def _show_zero_edit(self, seen: CellPictures) -> None:
        cell, shown = seen.cell, None
        if cell is not None:
            shown = self._stained(seen, cell.zero_edit, cell.channels, _limits(seen, cell), cell.um_per_px)
        self.zero_edit.show_picture(shown)

    def _show_edited(self, seen: CellPictures) -> None:
        cell, edited = seen.cell, seen.counterfactual
        if cell is None or edited is None:
            self.edited.show_picture(None)
            self.difference.show_picture(None)
            return
        limits = _limits(seen, cell)
        drawn = self._stained(seen, edited.image, cell.channels, limits, cell.um_per_px)
        self.edited.show_picture(pictures.with_counterfactual_mark(drawn))
        shown = _shown_stains(seen, cell.channels)
        change = pictures.difference(edited.cell.zero_edit[shown], edited.image[shown], limits[shown])
        self.difference.show_picture(self._finished(change, cell.um_per_px))

    def _stained(
        self,
        seen: CellPictures,
        image: NDArray[np.float32],
        channels: tuple[str, ...],
        limits: NDArray[np.float32] | None,
        um_per_px: float,
    ) -> NDArray[np.uint8]:
        limits = pictures.display_limits(image) if limits is None else limits
        colours = None if seen.colours is None else pictures.colours_by_channel(channels, seen.channels, seen.colours)
        colours = pictures.channel_colours(channels) if colours is None else colours
        shown = _shown_stains(seen, channels)
        names = tuple(channels[idx] for idx in shown)
        return self._finished(pictures.composite(image[shown], names, limits[shown], colours[shown]), um_per_px)

    def _finished(self, picture: NDArray[np.uint8], um_per_px: float) -> NDArray[np.uint8]:
        factor = max(1, round(self._side_px / picture.shape[0]))
        return pictures.with_scale_bar(pictures.enlarge(picture, factor), um_per_px / factor, SCALE_BAR_UM)
