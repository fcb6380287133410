"""Markers of types that are told on another panel, and genes that are told from a reference."""

import json
from dataclasses import replace

import pytest

from napari_spatia.benchmark import reference_check
from napari_spatia.benchmark.marker_check import main as marker_main
from napari_spatia.benchmark.marker_check import marker_check
from napari_spatia.data.panel import Panel
from napari_spatia.data.simulate import simulate_slide
from napari_spatia.data.splits import Split
from napari_spatia.errors import PanelError, SpatiaError
from napari_spatia.inference.predictor import Predictor


@pytest.fixture(scope="module")
def predictor():
    return Predictor.load("sim-small", "cpu")


def test_markers_that_are_not_read_tell_the_types_and_genes_of_others_do_not(predictor, slide):
    """EPCAM and KRT17 mark tumour cells, MYH11 muscle; EPCAM is not read, having another name."""
    names = tuple("MARK" if gene == "EPCAM" else gene for gene in slide.panel.genes)
    other = replace(slide, panel=Panel(names))
    markers = {
        "tumour": {"types": ["tumour"], "genes": ["MARK", "KRT17", "MYH11"]},
        "nobody": {"types": [], "genes": ["MARK"]},
    }
    found = marker_check(predictor.bind(other), markers)
    tumour = found["groups"]["tumour"]
    assert list(tumour["never_read"]) == ["MARK"] and list(tumour["read"]) == ["KRT17", "MYH11"]
    assert tumour["never_read"]["MARK"] > 0.7 > 0.6 > tumour["read"]["MYH11"]
    assert abs(tumour["cells"] - (slide.known_types() == "tumour").sum()) <= 3 and tumour["confidence"] > 0.5
    assert found["groups"]["nobody"] == {"types": [], "cells": 0, "confidence": None, "never_read": {}, "read": {}}
    assert any("not on the slide" in note for note in found["notes"])


def test_names_that_do_not_exist_are_said(predictor, slide, simulated_path, tmp_path, capsys):
    bound = predictor.bind(slide)
    with pytest.raises(SpatiaError, match="no type 'delta'.*alpha"):
        marker_check(bound, {"x": {"types": ["delta"], "genes": []}})
    with pytest.raises(PanelError, match="EPCAMM.*EPCAM"):
        marker_check(bound, {"x": {"types": ["tumour"], "genes": ["EPCAMM"]}})
    markers = tmp_path / "markers.json"
    markers.write_text(json.dumps({"tumour": {"types": ["tumour"], "genes": ["EPCAM"]}}))
    marker_main([str(simulated_path), "--checkpoint", "sim-small", "--device", "cpu", "--markers", str(markers)])
    assert json.loads(capsys.readouterr().out)["groups"]["tumour"]["read"]["EPCAM"] > 0.7


def test_genes_that_are_taken_away_are_told_from_the_rest_and_of_shuffled_cells_not(tmp_path, capsys):
    path = simulate_slide(tmp_path / "slide.zarr", num_cells=600, seed=3)
    split = tmp_path / "split.json"
    split.write_text(Split(validation=((0, 0, 90, 1000),), margin_um=5.0).to_json())
    reference_check.main([str(path), "--holdout", str(split), "--genes", "40"])
    found = json.loads(capsys.readouterr().out)
    rows = found["rows"]
    assert rows["ridge"] > 0.1 > 0.08 > abs(rows["shuffled"]) and abs(rows["promised"] - rows["ridge"]) < 0.15
    assert rows["nearest"] > 0.03 and rows["ranked"] > 0.3
    scores = [gene["pearson"] for gene in found["genes"]]
    assert len(scores) == 40 and scores == sorted(scores, key=lambda score: -(score or 0.0))
    assert found["cells"] + found["reference_cells"] <= 600
