"""The main job in the real window, without a person.

``python -m napari_spatia.widgets.demo SLIDE --checkpoint NAME --out DIR`` opens the slide, predicts, colours by type,
chooses cells on the slide and sees them in the map, blends genes, clicks a cell, drags gene sliders, draws a
dose strip, annotates and exports; it writes demo.json, screenshots of the window and a film of it into DIR.
Nothing is written into the slide; the journal of the annotation lies in DIR too.
"""

import argparse
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_spatia.errors import SpatiaError
from napari_spatia.inference.edit_pictures import save_gif
from napari_spatia.session.values import MAX_BLENDED, is_blend
from napari_spatia.widgets.annotate_dock import AnnotateDock
from napari_spatia.widgets.arrange import ANNOTATE, CELL, CELLS_MAP, EXPORT, SCREENS
from napari_spatia.widgets.driving import Driver, Watchdog, median_and_p95
from napari_spatia.widgets.export_dock import ExportDock
from napari_spatia.widgets.launch import start

NUM_MOVES = 36
"""Timed slider moves, over all sliders."""
SHOWN_GENES = ("LMNB1", "ATP1A1")
"""Edited where the model knows them: they move nucleus and membrane of the simulated tissue. Else the first two."""
LOOK_UM = 220.0
FILM_FRAMES, FILM_PX = 8, 800
ANNOTATION_CLASS = "looked at"
FORMATS = ("geojson", "csv", "h5ad")
NOTED_VERSIONS = ("napari-spatia", "napari", "torch", "numpy", "spatialdata")


class Demo:
    """The steps of the main job, in order; ``told`` grows into demo.json."""

    def __init__(self, slide: Path, checkpoint: str, out: Path, seed: int) -> None:
        self.out, self.seed = out, seed
        self.began = time.perf_counter()
        self.driver = Driver(start(slide, checkpoint, {}, sidecar=out / "journal"))
        self.session = self.driver.session
        self.told: dict[str, Any] = {"slide": slide.name, "checkpoint": checkpoint, "seed": seed, "screenshots": []}

    def run(self) -> dict[str, Any]:
        """All steps; returns what is told."""
        self.driver.ready()
        self.predict()
        self.choose_cells()
        self.blend_genes()
        self.click_a_cell()
        self.move_sliders()
        self.film()
        self.draw_strip()
        self.annotate()
        self.export()
        self.told["device"] = self.session.state.device
        self.told["versions"] = {name: version(name) for name in NOTED_VERSIONS}
        self.told["seconds"] = round(time.perf_counter() - self.began, 1)
        return self.told

    def predict(self) -> None:
        """Predict all cells and colour them by type."""
        session, slide = self.session, self.session.slide
        session.predict(seed=self.seed)
        self.driver.until(lambda: session.state.prediction is not None, "predicting", limit_s=600.0)
        session.colour_by("type")
        self.driver.until(lambda: session.state.lookup is not None and session.state.lookup.key == "type", "colouring")
        types = np.asarray(session.state.prediction.cell_type) if session.state.prediction else np.array([])
        known = slide.known_types()
        named = known != ""
        self.told |= {
            "cells": slide.num_cells,
            "genes": len(slide.panel),
            "types_predicted": len(np.unique(types)),
            "accuracy": round(float((types == known)[named].mean()), 4) if named.any() else None,
        }
        self._shoot("explorer.png")

    def choose_cells(self) -> None:
        """Choose the cells around the middle of the slide; the Cells map shows where they lie in the embedding."""
        session, driver = self.session, self.driver
        y0, x0, y1, x1 = session.slide.labels.extent_um
        driver.docks[CELLS_MAP].raise_()
        driver.until(lambda: session.state.plot is not None, "mapping the cells")
        top, bottom = (y0 + (y1 - y0) * share for share in (1 / 3, 2 / 3))
        left, right = (x0 + (x1 - x0) * share for share in (1 / 3, 2 / 3))
        session.choose_inside([(top, left), (top, right), (bottom, right), (bottom, left)])
        self.told["chosen"] = 0 if session.state.chosen is None else len(session.state.chosen)
        self._shoot("map.png")
        session.choose_none()
        driver.docks[CELL].raise_()

    def blend_genes(self) -> None:
        """Colour by the genes that tell the middle of the slide from the rest."""
        session, driver = self.session, self.driver
        y0, x0, y1, x1 = session.slide.labels.extent_um
        driver.look_at((y0 + y1) / 2, (x0 + x1) / 2, (x1 - x0) / 2)
        driver.until(lambda: len(session.state.view_genes) > 0, "finding the genes in view")
        session.blend_genes(session.state.view_genes[:MAX_BLENDED])
        driver.until(lambda: session.state.lookup is not None and is_blend(session.state.lookup.key), "blending genes")
        self._shoot("genes.png")
        session.colour_by("type")

    def click_a_cell(self) -> None:
        """Go to the most confident cells' middle of the slide and click one with the mouse."""
        session, slide = self.session, self.session.slide
        y0, x0, y1, x1 = slide.labels.extent_um
        middle = np.array([(y0 + y1) / 2, (x0 + x1) / 2])
        for cell_idx in np.argsort(np.linalg.norm(slide.centers_um - middle, axis=1)):
            y_um, x_um = (float(value) for value in slide.centers_um[cell_idx])
            if session.cell_at(y_um, x_um) == slide.cell_id[cell_idx]:
                break
        self.driver.look_at(y_um, x_um, LOOK_UM)
        self.driver.click_slide(y_um, x_um)
        self.driver.until(lambda: session.state.selected is not None, "selecting the clicked cell", limit_s=20.0)
        self.driver.picture_rests()
        cell = session.state.cell
        assert cell is not None
        self.told |= {
            "cell_edited": session.state.selected,
            "nfe": cell.nfe,
            "zero_edit_psnr_db": round(cell.zero_edit_psnr_db, 2),
        }

    def move_sliders(self) -> None:
        """Drag each slider through random places, then leave a visible edit."""
        rng = np.random.default_rng(self.seed)
        info = self.session.state.checkpoint
        shown = [gene for gene in SHOWN_GENES if info is not None and gene in info.panel]
        for gene in shown:
            QTest.keyClicks(self.driver.cell_dock.search, gene)
            QTest.keyClick(self.driver.cell_dock.search, Qt.Key.Key_Return)
        sliders = self.driver.cell_dock.sliders.rows
        rows = list(sliders.values())
        times: list[float] = []
        with Watchdog() as watchdog:
            while len(times) < NUM_MOVES:
                row = rows[len(times) % len(rows)]
                times += self.driver.drag_slider(row.slider, rng.uniform(-4, 4, 4).tolist())
        self.session.reset_edit()
        self.driver.settle()
        for row, value in zip([sliders[gene] for gene in shown] or rows, (3.0, -3.0), strict=False):
            self.driver.drag_slider(row.slider, [value])
        self.driver.picture_rests()
        self.driver.settle()  # the counterfactual on the slide follows
        p50, p95 = median_and_p95(times)
        self.told |= {
            "edit": dict(self.session.state.edit.present.active().terms),
            "slider_moves": len(times),
            "render_ms": {"p50": p50, "p95": p95},
            "longest_gui_block_ms": round(watchdog.longest_ms, 1),
        }
        self._shoot("cell.png")

    def film(self) -> None:
        """The window while the first slider with a rule goes from nothing to its end, as a film there and back."""
        driver = self.driver
        sliders = driver.cell_dock.sliders.rows
        gene = self._shown_gene()
        frames = []
        for value in np.linspace(0, 3, FILM_FRAMES).tolist():
            driver.drag_slider(sliders[gene].slider, [value])
            driver.picture_rests()
            driver.settle(0.1)
            window = Image.fromarray(driver.viewer.window.screenshot(canvas_only=False, flash=False)[..., :3])
            window.thumbnail((FILM_PX, FILM_PX))
            frames.append(np.asarray(window.quantize(128).convert("RGB")))
        self.told["film"] = save_gif(frames, self.out / "live.gif", f"{gene} from 0 to +3 in napari-spatia").name

    def draw_strip(self) -> None:
        """Draw the selected cell at seven doses of one gene in the Screens dock."""
        driver, session = self.driver, self.session
        driver.docks[SCREENS].raise_()
        session.show_feature("nucleus_area")
        session.sweep(self._shown_gene())
        driver.until(lambda: session.state.strip is not None, "drawing the doses", limit_s=60.0)
        self._shoot("screens.png")
        driver.docks[CELL].raise_()

    def annotate(self) -> None:
        """Make a class, switch it on with its number key, and click the cell."""
        session, driver = self.session, self.driver
        driver.docks[ANNOTATE].raise_()
        driver.settle()
        dock = driver.docks[ANNOTATE].findChild(AnnotateDock)
        assert dock is not None and session.state.card is not None
        QTest.keyClicks(dock.name, ANNOTATION_CLASS)
        QTest.keyClick(dock.name, Qt.Key.Key_Return)
        item = dock.classes.item(0)
        assert item is not None
        place = dock.classes.visualItemRect(item).center()
        QTest.mouseClick(dock.classes.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
        driver.click_slide(*session.state.card.center_um)
        driver.until(lambda: bool(session.state.annotations.assigned), "annotating the clicked cell", limit_s=20.0)
        self.told["annotated"] = dict(session.state.annotations.assigned)
        self._shoot("annotate.png")
        session.arm_class(None)

    def export(self) -> None:
        """Press Export in the Export dock."""
        driver, session = self.driver, self.session
        driver.docks[EXPORT].raise_()
        driver.settle()
        dock = driver.docks[EXPORT].findChild(ExportDock)
        assert dock is not None
        dock.folder.setText(str(self.out / "export"))
        QTest.mouseClick(dock.export, Qt.MouseButton.LeftButton)
        driver.until(lambda: bool(session.state.exported), "exporting", limit_s=300.0)
        self.told["exported"] = [str(path.relative_to(self.out)) for path in session.state.exported]
        driver.docks[CELL].raise_()

    def _shown_gene(self) -> str:
        """A gene with a slider: one whose effect is known, if there is one."""
        sliders = self.driver.cell_dock.sliders.rows
        return next((gene for gene in SHOWN_GENES if gene in sliders), next(iter(sliders)))

    def _shoot(self, name: str) -> None:
        self.driver.screenshot(self.out / name)
        self.told["screenshots"].append(name)


def main() -> int:
    """Run the demo; exit code 1 with one clear message when the input cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slide", type=Path)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    demo = None
    try:
        demo = Demo(asked.slide, asked.checkpoint, asked.out.resolve(), asked.seed)
        told = demo.run()
    except SpatiaError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if demo is not None:
            demo.driver.close()
    (asked.out / "demo.json").write_text(json.dumps(told, indent=2) + "\n")
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
