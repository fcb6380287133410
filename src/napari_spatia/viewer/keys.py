"""Every key that the window listens to, declared once: who binds a key and who lists them both read it here."""

from dataclasses import dataclass

from napari_spatia.session.annotations import KEYS as CLASS_KEYS

ANYWHERE, CANVAS, LEGEND = "Anywhere", "On the slide", "In the legend"
ANNOTATE = "While the Annotate dock is in front"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as Qt and napari spell it, what it does, and where it is heard."""

    key: str
    does: str
    where: str = ANYWHERE

    def tip(self, text: str) -> str:
        """The tooltip of a control that does the same."""
        return f"{text} (key {self.key})"


LASSO = Key("L", "Draw around cells to choose them; again: the hand", CANVAS)
BOX = Key("B", "Draw a box around cells to choose them; again: the hand", CANVAS)
LEAVE = Key("Escape", "Put the tool away", CANVAS)
FIND_CELL = Key("G", "Go to a cell by its id")
HOVER = Key("H", "Card at the mouse on or off")
POLYGONS = Key("O", "Outlines of cells and nuclei as polygons, or off")
FAVOURITE = Key("F", "The gene on screen is a favourite, or no longer")
PATCHES = Key("P", "Counterfactuals on the slide, or off")
BEFORE = Key("K", "Counterfactuals on the slide: before the edit, or after")
NEXT_CELL = Key("N", "The next cell of the list")
CELL_BEFORE = Key("Shift+N", "The cell of the list before this one")
HELP = Key("?", "This list")
RECOLOUR = Key("Return", "Another colour for a category", LEGEND)
SOLO = Key("S", "Show this category alone; again: all", LEGEND)
SHOW_ALL = Key("A", "Show all categories", LEGEND)
RENAME = Key("F2", "Another name for a class of the annotation", LEGEND)
CLASSES = tuple(Key(key, f"Class {key}: clicks on cells assign it", ANNOTATE) for key in CLASS_KEYS)
NO_CLASS = Key("Escape", "Clicks only select again", ANNOTATE)

ALL_KEYS = (
    FIND_CELL, NEXT_CELL, CELL_BEFORE, PATCHES, BEFORE, HOVER, POLYGONS, FAVOURITE, HELP, LASSO, BOX, LEAVE,
    RECOLOUR, SOLO, SHOW_ALL, RENAME, *CLASSES, NO_CLASS,
)  # fmt: skip
