"""How a cell is named in a sentence or a title."""


def cell_name(cell_id: str) -> str:
    """The id with the word before it, unless it begins with the word itself: ``cell 12``, but ``cell-000012``."""
    return cell_id if cell_id.lower().startswith("cell") else f"cell {cell_id}"
