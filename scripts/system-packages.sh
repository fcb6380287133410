#!/usr/bin/env bash
# Shared libraries that Qt and OpenGL load at run time, and Xvfb, the display of a machine without one.
# Installs what is missing when root on Debian or Ubuntu; otherwise names it and goes on.
set -euo pipefail
PATH="$PATH:/usr/sbin:/sbin"

# What must be there (a shared library or a command), and the Debian package that brings it.
needed="
libGL.so.1                    libgl1
libEGL.so.1                   libegl1
libglib-2.0.so.0              libglib2.0-0
libfontconfig.so.1            libfontconfig1
libdbus-1.so.3                libdbus-1-3
libxkbcommon-x11.so.0         libxkbcommon-x11-0
libxcb-cursor.so.0            libxcb-cursor0
libxcb-icccm.so.4             libxcb-icccm4
libxcb-image.so.0             libxcb-image0
libxcb-keysyms.so.1           libxcb-keysyms1
libxcb-randr.so.0             libxcb-randr0
libxcb-render-util.so.0       libxcb-render-util0
libxcb-shape.so.0             libxcb-shape0
libxcb-sync.so.1              libxcb-sync1
libxcb-xfixes.so.0            libxcb-xfixes0
libxcb-xinerama.so.0          libxcb-xinerama0
libxcb-xkb.so.1               libxcb-xkb1
Xvfb                          xvfb
xauth                         xauth
"

[ "$(uname -s)" = Linux ] || exit 0
libraries=$(ldconfig -p)
missing=()
while read -r what package; do
    case $what in
        "") continue ;;
        *.so.*) grep -qF "$what " <<<"$libraries" || missing+=("$package") ;;
        *) command -v "$what" >/dev/null || missing+=("$package") ;;
    esac
done <<<"$needed"
fonts=$(find /usr/share/fonts /usr/local/share/fonts \( -name '*.ttf' -o -name '*.otf' \) -print -quit 2>/dev/null || true)
[ -n "$fonts" ] || missing+=(fonts-dejavu-core)
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing system packages: ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >/dev/null
    apt-get install -q -y --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "Missing system packages (Debian names). The window and the tests that open one need them:" >&2
    echo "    sudo apt-get install ${missing[*]}" >&2
fi
