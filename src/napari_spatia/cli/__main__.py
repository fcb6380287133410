"""``python -m napari_spatia.cli`` is ``napari-spatia``."""

from napari_spatia.cli.main import app

app(prog_name="napari-spatia")
