"""The card beside the mouse: what is known of the cell under it."""

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QCursor, QGuiApplication
from qtpy.QtWidgets import QLabel

from napari_spatia.session.state import HoverCard, SessionState
from napari_spatia.widgets.cell_dock import card_html

BESIDE_PX = QPoint(16, 18)
"""From the mouse to the card's corner, so that the cell itself stays in sight."""
MOST_WIDE_PX = 320
NUM_GENES = 4
STYLE = "QLabel { background: #1d2026; color: #e8eaed; border: 1px solid #5b6270; padding: 6px; font-size: 12px; }"


class HoverTip(QLabel):
    """A frameless label that takes neither the focus nor the mouse."""

    def __init__(self) -> None:
        flags = Qt.WindowType
        super().__init__(
            None, flags.ToolTip | flags.FramelessWindowHint | flags.WindowTransparentForInput
            | flags.WindowDoesNotAcceptFocus,
        )  # fmt: skip
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setStyleSheet(STYLE)

    def show_card(self, card: HoverCard, mouse: QPoint) -> None:
        """Show a card beside a point of the screen; on its other side where the screen ends."""
        self.setWordWrap(False)
        self.setText(hover_html(card))
        if self.sizeHint().width() > MOST_WIDE_PX:
            self.setWordWrap(True)
            self.setFixedWidth(MOST_WIDE_PX)
        else:
            self.setFixedWidth(self.sizeHint().width())
        self.adjustSize()
        self.move(self._beside(mouse))
        self.show()

    def _beside(self, mouse: QPoint) -> QPoint:
        place = mouse + BESIDE_PX
        screen = QGuiApplication.screenAt(mouse) or QGuiApplication.primaryScreen()
        if screen is not None:
            box = screen.availableGeometry()
            if place.x() + self.width() > box.right():
                place.setX(mouse.x() - BESIDE_PX.x() - self.width())
            if place.y() + self.height() > box.bottom():
                place.setY(mouse.y() - BESIDE_PX.y() - self.height())
        return place


class HoverTips:
    """Shows the session's hovered cell beside the mouse; the label is made with the first cell."""

    def __init__(self, state: SessionState) -> None:
        self.tip: HoverTip | None = None
        self._state = state
        state.events.hovered.connect(self._show)

    def close(self) -> None:
        """Take the card off the screen for good."""
        self._state.events.hovered.disconnect(self._show, missing_ok=True)
        if self.tip is not None:
            self.tip.close()
            self.tip.deleteLater()
            self.tip = None

    def _show(self, card: HoverCard | None) -> None:
        if card is not None:
            self.tip = self.tip or HoverTip()
            self.tip.show_card(card, QCursor.pos())
        elif self.tip is not None:
            self.tip.hide()


def hover_html(hovered: HoverCard) -> str:
    """The card as rich text, with what the cells are coloured by."""
    value = hovered.value
    shown = f"{value:,.4g}" if isinstance(value, float) else value
    extra = () if shown is None else (f"{hovered.title}: <b>{shown}</b>",)
    return card_html(hovered.card, extra, NUM_GENES)
