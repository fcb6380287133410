"""Spatiato in the viewer benchmark; run in its own environment.

    python peer_spatiato.py SLIDE.zarr

A user opens a slide by the button of the Viewer dock, its image by "Load in viewer", and colours cells by a choice of
the source and "Add / Update in viewer". Each source has a labels layer of its own, so a gene that was shown before can
also be shown again by the eye of its layer; that is timed besides the button.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from peer import CATEGORY, IMAGE, LABELS, TABLE, Peer, main
from qtpy.QtWidgets import QFileDialog
from spatiato.widgets.viewer.widget import ViewerWidget


class Spatiato(Peer):
    """Its Viewer dock, clicked."""

    package = "spatiato"

    def prepare(self, viewer: napari.Viewer) -> None:
        super().prepare(viewer)
        viewer.window.add_plugin_dock_widget("spatiato", "Viewer")
        self._dock = viewer.window._qt_window.findChild(ViewerWidget)

    def open_image(self, store: Path) -> None:
        QFileDialog.getExistingDirectory = lambda *_: str(store)  # what the user would choose
        self._dock.open_sdata_button.click()
        card = next(card for card in self._dock._image_cards if card.image_name == IMAGE)
        card.stack_toggle.setChecked(True)
        card.stack_load_button.click()

    def open_cells(self) -> None:
        """Nothing: the labels come with their first colours."""

    def shown(self, element: str) -> bool:
        return element == LABELS or super().shown(element)

    def colour_by_gene(self, gene: str) -> None:
        self._colour("x_var", gene)

    def colour_by_category(self, column: str) -> None:
        self._colour("obs_column", column)

    def more_steps(self) -> dict[str, Callable[[str], None]]:
        return {"show a gene again by its layer's eye": self._show_only}

    def _colour(self, kind: str, key: str) -> None:
        """Only the coloured layer stays visible, as it would for a person who compares genes one by one."""
        card = next(card for card in self._dock._labels_cards if card.labels_name == LABELS)
        card.color_source_kind_combo.setCurrentIndex(card.color_source_kind_combo.findData(kind))
        source = next(source for source in card._filtered_color_sources if source.value_key == key)
        card.color_source_value_input.setText(source.display_name)
        card.add_update_button.click()
        self._show_only(key)

    def _show_only(self, key: str) -> None:
        suffix = f"[obs:{key}]" if key == CATEGORY else f"[X:{key}]"
        for layer in self.viewer.layers:
            shown = layer.name == LABELS + suffix
            if layer.name.startswith(LABELS) and layer.visible != shown:  # napari slices anew even when it is the same
                layer.visible = shown

    @property
    def table(self) -> Any:
        return self._dock._app_state.sdata.tables[TABLE]


if __name__ == "__main__":
    sys.exit(main(Spatiato()))
