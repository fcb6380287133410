"""The Tab key goes through a dock as the eye does, also through rows that came later.

Qt puts a new widget at the end of the window's order, wherever it is laid out.
"""

from collections.abc import Iterator
from itertools import pairwise

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QLayout, QWidget

REST_MS = 150
"""A label that follows a slider lays its dock out anew with each word: the order is looked at once that rests."""


class TabOrder(QObject):
    """Keeps the order of one widget's content that of its layouts."""

    def __init__(self, content: QWidget) -> None:
        super().__init__(content)
        self._content = content
        self._stops: list[QWidget] = []
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(REST_MS)
        self._soon.timeout.connect(self._order)
        content.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Something was laid out: look at the order once that rests."""
        if event is not None and event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Show):
            self._soon.start()
        return False

    def _order(self) -> None:
        stops = list(tab_stops(self._content))
        if stops != self._stops:
            self._stops = stops
            for before, after in pairwise(stops):
                QWidget.setTabOrder(before, after)


def tab_stops(widget: QWidget) -> Iterator[QWidget]:
    """The widgets that the Tab key can reach, in the order of their layouts."""
    layout = widget.layout()
    if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
        yield widget
    elif layout is not None:
        yield from _stops_of(layout)


def _stops_of(layout: QLayout) -> Iterator[QWidget]:
    for place in range(layout.count()):
        item = layout.itemAt(place)
        inner, deeper = (None, None) if item is None else (item.widget(), item.layout())
        if inner is not None:
            yield from tab_stops(inner)
        elif deeper is not None:
            yield from _stops_of(deeper)
