#!/usr/bin/env bash
# Makes the virtual environment in the folder $1 (default .venv) with the pins of constraints.txt.
# PYTHON names the interpreter; without it the first Python >= 3.11 on the PATH is taken.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}

is_new_enough() { "$1" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

choose_python() {
    local candidate
    # 3.11 first: constraints.txt was made with it.
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "napari-spatia needs Python >= 3.11; tried ${PYTHON:-python3.11, python3.12, python3.13, python3, python}." >&2
    echo "Install one, or name it: make demo PYTHON=/path/to/python3.11" >&2
    return 1
}

make_venv() {
    "$python" -m venv "$venv" >/dev/null 2>&1 && return
    # Debian's Python comes without ensurepip.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        local package
        package="python$("$python" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')-venv"
        echo "Installing system package: $package" >&2
        apt-get update -q >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$package" >/dev/null
    fi
    "$python" -m venv --clear "$venv"
}

scripts/system-packages.sh
if ! is_new_enough "$venv/bin/python"; then
    python=$(choose_python)
    echo "Making $venv with $("$python" --version)" >&2
    make_venv
fi
echo "Installing the packages of constraints.txt into $venv (some minutes the first time)" >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[all,benchmark,dev]"
touch "$venv/.installed"
