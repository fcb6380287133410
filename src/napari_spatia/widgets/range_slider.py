"""A slider with two handles, their values as numbers below it, that tells a range while it moves."""

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QAbstractSlider, QAbstractSpinBox, QLineEdit
from superqt import QLabeledDoubleRangeSlider

from napari_spatia.widgets.parts import named

SIDE_PX = 18
"""Room at both sides: the labels of the handles reach beyond the slider."""
LIVE_MS = 30


class RangeSlider(QLabeledDoubleRangeSlider):
    """``moved`` tells the two values, at most once in `LIVE_MS`."""

    moved = Signal(float, float)

    def __init__(self, tooltip: str) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setEdgeLabelMode(QLabeledDoubleRangeSlider.EdgeLabelMode.NoLabel)
        self.setHandleLabelPosition(QLabeledDoubleRangeSlider.LabelPosition.LabelsBelow)
        self.setToolTip(tooltip)
        self.setAccessibleName(tooltip)
        self.setMinimumHeight(48)
        self._name_parts()
        self.valueChanged.connect(self._slid)
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.timeout.connect(lambda: self.moved.emit(*self.value()))

    def inset(self) -> None:
        """Make room for the labels; once the slider is in its layout."""
        self.layout().setContentsMargins(SIDE_PX, 0, SIDE_PX, 0)

    def show_range(self, limits: tuple[float, float], shown: tuple[float, float], whole: bool) -> None:
        """Show a range between ``limits`` without telling it; ``whole`` numbers have no decimals."""
        self.blockSignals(True)
        decimals = 0 if whole or limits[1] - limits[0] >= 10 else 2
        if self.decimals() != decimals:
            self.setDecimals(decimals)
        if (self.minimum(), self.maximum()) != limits:
            self.setRange(*limits)
        if tuple(self.value()) != shown:
            self.setValue(shown)
        self.blockSignals(False)
        self._name_parts()

    def _name_parts(self) -> None:
        """The handles' numbers are controls of their own, and are made anew with a new range."""
        for kind in (QAbstractSlider, QAbstractSpinBox, QLineEdit):
            for inner in self.findChildren(kind):
                named(inner, self.accessibleName())

    def _slid(self) -> None:
        if not self._settled.isActive():  # what is shown follows while the handle moves
            self._settled.start(LIVE_MS)
