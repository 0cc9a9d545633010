#!/bin/sh
# Makes a virtual environment with the project and its CPU dependencies, unless `rocketqa` and
# Paddle are installed already. The other scripts source this file and then run in the environment.
# sh run_scripts/setup.sh
#
# reads   setup.py; the variable PADDLE: a version of Paddle (default 3.3.1). Each version other
#         than the default gets an environment of its own.
# writes  .venv/ (with PADDLE=2.6.2: .venv-2.6.2/)
#
# Cost: 1 to 3 minutes, once.

# ROOT is empty if this script is run by itself, and set if another script sources it.
if [ -z "${ROOT:-}" ]; then
    set -eu
    # shellcheck source=run_scripts/lib.sh
    . "$(dirname "$0")/lib.sh"
fi

PADDLE_DEFAULT=3.3.1
EXTRAS=cpu,test,bm25

# installed: is true if rocketqa and Paddle are installed, with PADDLE's version if that is set.
# It looks from the folder /, where a mere copy of this project cannot be imported.
installed() {
    (unset -f rocketqa && cd / && command -v rocketqa && command python -c "
from importlib.metadata import distributions
versions = {d.name: d.version for d in distributions()}
paddle = versions.get('paddlepaddle') or versions['paddlepaddle-gpu']
raise SystemExit('${PADDLE:-}' not in ('', paddle) or 'rocketqa' not in versions)") >/dev/null 2>&1
}

if [ -z "${ROCKETQA_READY:-}" ] && ! installed; then
    VENV=$ROOT/.venv
    [ "${PADDLE:-$PADDLE_DEFAULT}" = "$PADDLE_DEFAULT" ] || VENV=$ROOT/.venv-$PADDLE
    # The last step of an installation makes this file, so an environment without it is incomplete.
    MARK=$VENV/installed-$(cksum <"$ROOT/setup.py" | tr ' ' -)
    if [ ! -e "$MARK" ]; then
        version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        [ "$version" = 3.11 ] || fail "setup: expected python3 to be Python 3.11, got $version"
        say "setup: making $VENV with Paddle ${PADDLE:-$PADDLE_DEFAULT} (1 to 3 minutes)"
        rm -rf "$VENV"
        interruptible python3 -m venv "$VENV"
        interruptible "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
            "paddlepaddle==${PADDLE:-$PADDLE_DEFAULT}" --editable "${ROOT}[$EXTRAS]"
        "$VENV/bin/python" -m pip check
        : >"$MARK"
    fi
    PATH=$VENV/bin:$PATH
    export PATH
    installed || fail "setup: expected rocketqa in $VENV, got none that runs:" \
        "remove the folder and call again"
fi
ROCKETQA_READY=yes
export ROCKETQA_READY
