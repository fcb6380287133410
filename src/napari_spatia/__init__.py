"""napari-spatia: the SPATIA model inside napari, from a whole slide to one edited cell."""

from importlib.metadata import version

__version__ = version("napari-spatia")
