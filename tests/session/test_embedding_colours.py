import numpy as np
import pytest

from napari_spatia.data.simulate import simulate_slide
from napari_spatia.data.store import write_obsm
from napari_spatia.errors import SpatiaError
from napari_spatia.session.session import Session


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A slide on disk with a wide embedding in its table."""
    path = tmp_path_factory.mktemp("stored") / "tissue.zarr"
    simulate_slide(path, num_cells=60, seed=2)
    session = Session(sidecar=path.parent / "sidecar")
    session.open(path)
    slide = session.slide
    pca = np.random.default_rng(0).normal(size=(slide.num_cells, 12)).astype(np.float32)
    write_obsm(path, slide.table_name, {"X_pca": pca}, cell_id=slide.cell_id)
    return path, pca


@pytest.fixture
def session(stored, fake_backend, tmp_path):
    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.open(stored[0])
    return session


def test_the_first_components_are_listed_and_all_can_be_shown(session, stored):
    listed = {choice.key: choice.label for choice in session.colour_choices() if choice.key.startswith("obsm:X_pca:")}
    assert list(listed) == [f"obsm:X_pca:{number}" for number in range(1, 11)]
    assert listed["obsm:X_pca:1"] == "X_pca 1"
    for number in (1, 12):
        session.colour_by(f"obsm:X_pca:{number}")
        column = stored[1][:, number - 1]
        assert session.state.lookup.limits == (column.min(), column.max())
    session.filter_by("obsm:X_pca:2", low=0.0)
    assert session.state.filtered.passing.tolist() == (stored[1][:, 1] >= 0).tolist()


def test_the_predictions_own_embedding_is_there_too(session):
    session.load_checkpoint("fake")
    assert not [choice for choice in session.colour_choices() if choice.key.startswith("embedding:")]
    session.predict()
    listed = [choice.label for choice in session.colour_choices() if choice.key.startswith("embedding:cell:")]
    assert len(listed) == 10 and listed[0] == "Cell embedding 1 (predicted)"
    session.colour_by("embedding:cell:3")
    assert session.state.lookup.limits == (2, (session.slide.num_cells - 1) * 12 + 2)


@pytest.mark.parametrize("key", ["obsm:X_pca:0", "obsm:X_pca:13", "obsm:X_umap:1", "obsm:X_pca", "embedding:cell:1"])
def test_a_component_that_is_not_there_is_answered(session, key):
    with pytest.raises(SpatiaError, match="no such values"):
        session.colour_by(key)
