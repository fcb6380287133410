"""A dock of a window with several slides: one page a slide, the page of the slide in front on top."""

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QMessageBox, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from napari_spatia.session.session import Session
from napari_spatia.session.slides import Slides
from napari_spatia.widgets.parts import MARGIN_PX, Dock, small_button

TOOLTIP = Qt.ItemDataRole.ToolTipRole
UNSAVED = "The prediction of {title} is not saved and will be lost. Close the slide all the same?"


class SlidePages(QWidget):
    """A page shows one session from the first to the last: what was typed and scrolled to stays with its slide.

    A page is made when its slide is in front and the dock is seen for the first time.
    """

    def __init__(self, slides: Slides, make_page: Callable[[Session], Dock], head: QWidget | None = None) -> None:
        super().__init__()
        self._slides, self._make_page = slides, make_page
        self._pages: dict[Session, Dock] = {}
        self._stack = QStackedWidget()
        expanding = QSizePolicy.Policy.Expanding
        self._stack.setSizePolicy(expanding, expanding)
        self.setSizePolicy(expanding, expanding)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        if head is not None:
            layout.addWidget(head)
        layout.addWidget(self._stack, 1)
        slides.fronted.connect(self._turn)
        slides.left.connect(self._drop)
        self.destroyed.connect(lambda *_: self._let_go())
        self._show_front()

    @property
    def page(self) -> Dock:
        """The page of the slide in front."""
        self._show_front()
        return self._pages[self._slides.front]

    def showEvent(self, event: QShowEvent | None) -> None:
        super().showEvent(event)
        self._show_front()

    def _turn(self, front: Session) -> None:
        for session, page in self._pages.items():
            page.listen(session is front)
        if front in self._pages or self.isVisible():
            self._show_front()

    def _show_front(self) -> None:
        front = self._slides.front
        if front not in self._pages:
            self._pages[front] = self._make_page(front)
            self._stack.addWidget(self._pages[front])
        self._stack.setCurrentWidget(self._pages[front])

    def _drop(self, session: Session) -> None:
        page = self._pages.pop(session, None)
        if page is not None:
            page.release()
            self._stack.removeWidget(page)
            page.deleteLater()

    def _let_go(self) -> None:
        self._slides.fronted.disconnect(self._turn, missing_ok=True)
        self._slides.left.disconnect(self._drop, missing_ok=True)


class SlideChooser(QWidget):
    """The open slides as a list, and a button that closes the one in front; takes no room while there is one only."""

    def __init__(self, slides: Slides) -> None:
        super().__init__()
        self._slides = slides
        self.list = QComboBox()
        self.list.setAccessibleName("Open slides")
        self.list.setToolTip("The slide in front: what the docks show and edit")
        self.list.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.list.activated.connect(lambda idx: slides.bring(self.list.itemData(idx)))
        self.close_button = small_button("✕", "Close this slide; its annotation stays in its journal", self._close)
        self.close_button.setAccessibleName("Close this slide")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, 0)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.close_button)
        slides.changed.connect(self._show_slides)
        self.destroyed.connect(lambda *_: slides.changed.disconnect(self._show_slides, missing_ok=True))
        self._show_slides()

    def _show_slides(self) -> None:
        self.list.clear()
        for session in self._slides.sessions:
            self.list.addItem(self._slides.title(session), session)
            self.list.setItemData(self.list.count() - 1, str(self._slides.path(session) or ""), TOOLTIP)
        self.list.setCurrentIndex(self._slides.sessions.index(self._slides.front))
        self.setVisible(len(self._slides.sessions) > 1)

    def _close(self) -> None:
        front = self._slides.front
        if front.state.prediction_saved or self._loses_prediction():
            self._slides.close(front)

    def _loses_prediction(self) -> bool:
        """Whether the person gives up a prediction that is not saved."""
        words = UNSAVED.format(title=self._slides.title(self._slides.front))
        return QMessageBox.question(self, "Close the slide", words) == QMessageBox.StandardButton.Yes
