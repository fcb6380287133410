import shutil

import numpy as np
import pytest

from napari_spatia.data.density import bin_places
from napari_spatia.errors import PanelError, SlideError
from napari_spatia.session import transcripts
from napari_spatia.session.transcripts import bin_um

LEFT = (0.0, 0.0, 1e4, 40.0)


def test_transcripts_of_chosen_genes_are_those_of_the_cells(transcript_session):
    session = transcript_session
    assert "EPCAM" in session.genes_with_transcripts()
    session.show_transcripts(["EPCAM", "VIM"])
    picture = session.state.transcripts
    totals = [int(session.slide.counts[:, session.slide.panel.index(gene)].sum()) for gene in ("EPCAM", "VIM")]
    assert picture.counts == tuple(totals) and len(picture.yx) == sum(totals) and picture.density is None
    assert np.bincount(picture.of_gene).tolist() == totals
    first, second = session.state.transcript_genes
    assert first.colour != second.colour


def test_the_transcripts_follow_the_view(transcript_session):
    session = transcript_session
    session.show_transcripts(["EPCAM"])
    everywhere = session.state.transcripts.yx
    session.see(LEFT)
    shown = session.state.transcripts.yx
    expected = everywhere[everywhere[:, 1] <= 40.0]
    assert 0 < len(shown) < len(everywhere)
    np.testing.assert_array_equal(np.sort(shown[:, 0]), np.sort(expected[:, 0]))
    session.see((-500.0, -500.0, -400.0, -400.0))
    assert session.state.transcripts.counts == (0,) and len(session.state.transcripts.yx) == 0


def test_too_many_become_a_density_of_each_gene(transcript_session, monkeypatch):
    session = transcript_session
    session.show_transcripts(["EPCAM", "VIM"])
    counts = session.state.transcripts.counts
    monkeypatch.setattr(transcripts, "MOST_POINTS", sum(counts) - 1)
    session.show_transcripts(["VIM", "EPCAM"])
    picture = session.state.transcripts
    assert picture.yx is None and picture.counts == counts[::-1]
    assert picture.density.sum(axis=(1, 2)).tolist() == list(counts[::-1])
    session.see(LEFT)
    assert session.state.transcripts.density is None, "few enough again"


def test_bins_are_square_and_count_what_lies_in_them():
    window = (10.0, 20.0, 10.0 + 51.2, 20.0 + 102.4)
    density = bin_places(
        np.array([[10.1, 20.1], [10.1, 20.15], [61.1, 122.3], [5.0, 30.0]], np.float32), window, bin_um(window)
    )
    assert bin_um(window) == pytest.approx(0.2) and density.shape == (256, 512)
    assert density[0, 0] == 2 and density[255, 511] == 1 and density.sum() == 3


def test_a_gene_keeps_its_colour_and_hiding_ends_it(transcript_session):
    session = transcript_session
    session.show_transcripts(["EPCAM", "VIM"])
    vim = session.state.transcript_genes[1]
    session.show_transcripts(["VIM"])
    assert session.state.transcript_genes == (vim,)
    session.show_transcripts(["VIM", "KRT17"])
    assert session.state.transcript_genes[1].colour != vim.colour
    session.hide_transcripts()
    assert session.state.transcript_genes == () and session.state.transcripts is None
    session.see(LEFT)
    assert session.state.transcripts is None


def test_what_is_not_there_is_said(transcript_session, small_slide):
    session = transcript_session
    session.show_transcripts(["NOBODY", "VIM"])
    assert "NOBODY" in session.state.notice.text and session.state.notice.is_error
    assert [entry.name for entry in session.state.transcript_genes] == ["VIM"]
    with pytest.raises(PanelError, match="'NOBODY' has no transcript"):
        session.show_transcripts(["NOBODY"])
    session.show(small_slide)
    assert session.state.transcripts is None and session.genes_with_transcripts() == ()
    with pytest.raises(SlideError, match="has no transcripts. Expected a points element .* found no points"):
        session.show_transcripts(["GENE1"])


def test_damaged_points_do_not_keep_a_slide_from_opening(transcript_session, slide_with_transcripts, tmp_path):
    folder = tmp_path / "damaged.zarr"
    shutil.copytree(slide_with_transcripts, folder)
    for file in (folder / "points" / "transcripts" / "points.parquet").rglob("*.parquet"):
        file.write_bytes(b"PAR1 cut short")
    transcript_session.open(folder)
    assert transcript_session.state.slide.path == folder and transcript_session.genes_with_transcripts()
    with pytest.raises(SlideError, match="Cannot read the points"):
        transcript_session.show_transcripts(["VIM"])


def test_nothing_is_written_into_the_store(transcript_session, transcript_cache, slide_with_transcripts):
    before = sorted(path for path in slide_with_transcripts.rglob("*"))
    transcript_session.show_transcripts(["VIM"])
    assert sorted(path for path in slide_with_transcripts.rglob("*")) == before
    assert len(list(transcript_cache.iterdir())) == 1
