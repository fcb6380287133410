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
