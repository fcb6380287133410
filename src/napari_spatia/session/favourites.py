"""Favourite genes: a person's own, the same on every slide, in a small file that outlives the session."""

import json
from pathlib import Path

import platformdirs

from napari_spatia.errors import SpatiaError
from napari_spatia.files import staged_file
from napari_spatia.session.base import SessionBase


def favourites_file() -> Path:
    """``favourites.json`` in the person's own settings: ``{"genes": ["EPCAM", …]}``."""
    return platformdirs.user_config_path("napari-spatia") / "favourites.json"


def read_favourites() -> tuple[str, ...]:
    """The favourite genes in the order in which they were chosen; none where there is no file."""
    path = favourites_file()
    try:
        genes = json.loads(path.read_text(encoding="utf-8"))["genes"]
        if not isinstance(genes, list) or not all(isinstance(gene, str) for gene in genes):
            raise TypeError("'genes' is no list of names")
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpatiaError(
            f'The favourite genes in \'{path}\' cannot be read: {error}. Expected {{"genes": ["EPCAM", …]}}; mend the '
            "file or remove it. It was not changed."
        ) from error
    return tuple(dict.fromkeys(genes))


def write_favourites(genes: tuple[str, ...]) -> None:
    """Replace the favourite genes, on disk before this returns."""
    path = favourites_file()
    try:
        with staged_file(path) as staged:
            staged.write_text(json.dumps({"genes": genes}, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SpatiaError(f"Favourite genes cannot be kept in '{path}': {error.strerror or error}.") from error


class FavouriteVerbs(SessionBase):
    """Genes with a star: ``state.favourites``."""

    def toggle_favourite(self, gene: str) -> None:
        """Make a gene a favourite, or no longer. Asked again, it is as before.

        The file is read first: another window may have changed it.
        """
        kept = read_favourites()
        genes = tuple(name for name in kept if name != gene) if gene in kept else (*kept, gene)
        write_favourites(genes)
        self.state.favourites = genes

    def recall_favourites(self) -> None:
        """Read the favourites of earlier sessions; a file that cannot be read is said."""
        try:
            self.state.favourites = read_favourites()
        except SpatiaError as error:
            self.tell_error(str(error))
