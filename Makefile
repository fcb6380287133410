# make demo | test | test-slow | lint | docs | bench-live | bench-viewer | bench-model     Variables: PYTHON=python3.12  VENV=.venv  OUT=build/demo
VENV ?= .venv
PYTHON ?=
OUT ?= build/demo
INSTALLED := $(VENV)/.installed
BIN := $(VENV)/bin
SCREEN := 1680x1050
VIRTUAL_SCREEN = QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 $(SCREEN)x24"

export VENV PYTHON

.PHONY: help demo test test-slow lint docs bench-live bench-viewer bench-model

help:
	@sed -n 1p Makefile | cut -c3-

# Everything that is installed, by constraints.txt; made again when that file or pyproject.toml is newer.
$(INSTALLED): constraints.txt pyproject.toml
	@scripts/setup.sh $(VENV)

# The main job. With a display it opens napari and leaves it to the person; without one it writes into $(OUT).
demo: $(INSTALLED)
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then \
		$(BIN)/napari-spatia demo --out $(OUT); \
	else \
		$(BIN)/napari-spatia demo --headless --out $(OUT); \
	fi

test: lint
	@scripts/test.sh

# What takes too long for every change: whole commands, kill -9 at every step, the demo in the real window.
test-slow: $(INSTALLED)
	@$(VIRTUAL_SCREEN) $(BIN)/python -m pytest -m slow

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

docs: $(INSTALLED)
	@$(BIN)/mkdocs build --strict --site-dir build/docs

# A slider move to a new picture on the screen, through the real dock; ends in one JSON line.
bench-live: $(INSTALLED)
	@$(if $(DISPLAY)$(WAYLAND_DISPLAY),,$(VIRTUAL_SCREEN)) $(BIN)/python -m napari_spatia.widgets.bench_live

# Our window on slides of 10,000 to 4,000,000 cells, and two peers on one of a million; writes docs/benchmark/viewer.md.
# Always on a virtual screen, so that the window has the same size everywhere; ARGS="--no-peers" and others are passed on.
bench-viewer: SCREEN := 1920x1200
bench-viewer: $(INSTALLED)
	@$(VIRTUAL_SCREEN) $(BIN)/python scripts/bench_viewer/run.py $(ARGS)

# A click, an edit and all genes on one simulated cell, beside the machine's rate of matrix products; ends in one JSON line.
MODEL_SLIDE := build/bench-model/sim-7.zarr

$(MODEL_SLIDE): | $(INSTALLED)
	@$(BIN)/napari-spatia simulate $@ --cells 2000 --seed 7 >&2

bench-model: $(INSTALLED) $(MODEL_SLIDE)
	@$(BIN)/python -m napari_spatia.benchmark.timing $(MODEL_SLIDE) --checkpoint sim-small --precision auto $(ARGS)
