"""Fixtures that several test folders share, and which tests can run where."""

import os
from pathlib import Path

# Before anything imports Qt: a test that draws is marked gl and gets a display (scripts/test.sh), the others need none.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import platformdirs
import pytest

import app_fakes

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ["QT_QPA_PLATFORM"] == "offscreen":
        needs_display = pytest.mark.skip(
            reason="draws with OpenGL: run under Xvfb with QT_QPA_PLATFORM=xcb (make test)"
        )
        for item in items:
            if "gl" in item.keywords:
                item.add_marker(needs_display)


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    """Where a person's settings (favourite genes) lie in a test: nothing of who runs it is read or changed."""
    monkeypatch.setattr(platformdirs, "user_config_path", lambda name: tmp_path / "settings" / name)
    return tmp_path / "settings"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real slides, beside the checkout or where NAPARI_SPATIA_SHARED_DATA says; never written to."""
    folder = Path(os.environ.get("NAPARI_SPATIA_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set NAPARI_SPATIA_SHARED_DATA)")
    return folder


@pytest.fixture
def small_slide(tmp_path):
    """Sixteen square cells in memory, in three types."""
    return app_fakes.make_slide(tmp_path / "small.zarr")


@pytest.fixture
def fake_backend():
    """A model without a network."""
    return app_fakes.FakeBackend()


@pytest.fixture
def report_at_the_end(monkeypatch):
    """A training writes its report when it is finished, not at each validation: drawing the curves takes 0.6 s of a
    core each time, most of the time of a run of a few steps.
    """
    from napari_spatia.train.log import Log

    write = Log.write_report
    monkeypatch.setattr(Log, "write_report", lambda log, status: write(log, status) if status == "Finished" else None)


@pytest.fixture(scope="session")
def slide_with_transcripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated slide of 120 cells with a points element."""
    from napari_spatia.data.simulate import simulate_slide

    return simulate_slide(tmp_path_factory.mktemp("points") / "slide.zarr", num_cells=120, seed=4, transcripts=True)


@pytest.fixture
def transcript_cache(tmp_path, monkeypatch):
    """Where indices of transcripts go in this test."""
    monkeypatch.setenv("NAPARI_SPATIA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "transcripts"


@pytest.fixture
def transcript_session(fake_backend, tmp_path, slide_with_transcripts, transcript_cache):
    """A session with that slide open, whose jobs run at once."""
    from napari_spatia.session.session import Session

    session = Session(backend=fake_backend, sidecar=tmp_path / "sidecar")
    session.open(slide_with_transcripts)
    return session


@pytest.fixture(scope="session")
def slide_with_elements(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated slide whose store holds more: an H&E that lies turned, nuclei, regions, seeds, a second table."""
    import geopandas as gpd
    import numpy as np
    import shapely
    import spatialdata
    from spatialdata.models import Image2DModel, Labels2DModel, PointsModel, ShapesModel
    from spatialdata.transformations import Affine, Identity, Scale

    from napari_spatia.data.simulate import simulate_slide

    path = simulate_slide(tmp_path_factory.mktemp("elements") / "slide.zarr", num_cells=120, seed=4, transcripts=True)
    stored = spatialdata.read_zarr(path)
    half = Scale([0.5, 0.5], axes=("x", "y"))
    turned = Affine([[0, 2.0, 10.0], [-2.0, 0, 60.0], [0, 0, 1]], ("x", "y"), ("x", "y"))  # x = 2 y + 10, y = 60 - 2 x
    rng = np.random.default_rng(0)
    he, cyx = rng.integers(0, 255, (3, 30, 20)).astype(np.uint8), ("c", "y", "x")
    nuclei = np.zeros((80, 100), np.int32)
    nuclei[10:20, 10:30], nuclei[40:60, 50:90] = 1, 2
    regions = gpd.GeoDataFrame(geometry=[shapely.box(5, 5, 20, 15), shapely.box(30, 20, 50, 45)])
    added = {
        "he": Image2DModel.parse(
            he, dims=("c", "y", "x"), c_coords=["r", "g", "b"], transformations={"global": turned}
        ),
        "afar": Image2DModel.parse(he, dims=cyx, transformations={"elsewhere": Identity()}),
        "nuclei": Labels2DModel.parse(nuclei, dims=("y", "x"), transformations={"global": half}),
        "regions": ShapesModel.parse(regions, transformations={"global": Identity()}),
        "seeds": PointsModel.parse(np.array([[4.0, 6.0], [20.0, 10.0]]), transformations={"global": half}),
        "again": stored["table"].copy(),
    }
    for name, element in added.items():
        stored[name] = element
        stored.write_element(name)
    return path
