#!/usr/bin/env bash
# The whole suite with coverage: without a screen first, in two processes, then the tests that draw (marker gl) under
# Xvfb. Arguments go to both pytest runs. A test that hangs outside Python, where pytest-timeout's signal is not heard,
# ends its process after HANGS_AFTER_S with the stacks of all threads; a process that ended is not started again, since
# its successor would go into the same test.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${VENV:-.venv}/bin/python
export NAPARI_ASYNC=0
# One thread a process. Products this small gain nothing from a second one, which waits for the first in a loop: beside
# one busy core of two, a training of 18 steps took 136 to 172 s of CPU with two threads and 11 s with one. numba, with
# which napari colours labels, has a number of its own and sets torch's to it.
export OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1
two_processes=(-n 2 --dist loadfile --max-worker-restart=0)
HANGS_AFTER_S=660
hangs_end=(-o "faulthandler_timeout=$HANGS_AFTER_S" -o faulthandler_exit_on_timeout=true)

if ! command -v xvfb-run >/dev/null; then
    echo "The tests that draw need Xvfb: sudo apt-get install xvfb" >&2
    exit 1
fi
"$python" -m coverage erase
status=0
QT_QPA_PLATFORM=offscreen "$python" -m pytest "${hangs_end[@]}" "${two_processes[@]}" -m "not gl and not slow" \
    --cov --cov-report= "$@" || status=$?
QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1680x1050x24" \
    "$python" -m pytest "${hangs_end[@]}" -m "gl and not slow" --cov --cov-append --cov-report= "$@" || status=$?
"$python" -m coverage report --skip-covered || status=$?
exit "$status"
