import pytest

from napari_spatia.session.session import Session


@pytest.fixture
def empty(fake_backend, tmp_path):
    """A session without a slide whose jobs run at once."""
    return Session(backend=fake_backend, sidecar=tmp_path / "sidecar")


@pytest.fixture
def session(empty, small_slide):
    empty.show(small_slide)
    return empty


@pytest.fixture
def ready(session):
    session.load_checkpoint("fake")
    return session


@pytest.fixture
def put(qtbot):
    """Show a dock and close it after the test."""

    def make(kind, session):
        dock = kind(session)
        qtbot.addWidget(dock, before_close_func=lambda dock: dock.release())
        dock.resize(420, 700)
        dock.show()
        return dock

    return make
