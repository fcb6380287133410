"""``python -m napari_spatia`` is ``napari-spatia``: what torchrun starts."""

from napari_spatia.cli.main import app

app(prog_name="napari-spatia")
