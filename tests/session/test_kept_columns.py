import numpy as np

from napari_spatia.data import gene_columns
from napari_spatia.session.session import Session


def test_the_second_opening_of_a_large_slide_maps_what_the_first_kept(
    slide_with_transcripts, fake_backend, tmp_path, monkeypatch
):
    monkeypatch.setattr(gene_columns, "WORTH_KEEPING", 10)
    first, second = (Session(backend=fake_backend, sidecar=tmp_path / "sidecar") for _ in range(2))
    first.open(slide_with_transcripts)
    assert not gene_columns.is_kept(first.opened.genes.sort()) and not first.state.jobs["prepare"].running
    second.open(slide_with_transcripts)
    assert gene_columns.is_kept(second.opened.genes.sort())
    gene = first.slide.panel.genes[0]
    for form in ("gene", "normalised"):
        values = [session._values().read(f"{form}:{gene}").data for session in (first, second)]
        np.testing.assert_array_equal(*values)
        assert values[1].dtype == np.float32
    for session in (first, second):
        session.colour_by(f"gene:{gene}")
    np.testing.assert_array_equal(first.state.lookup.rgba, second.state.lookup.rgba)
