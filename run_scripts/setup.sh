#!/bin/sh
# Makes a virtual environment with the project and its CPU dependencies, unless `rocketqa` can be imported already.
# sh run_scripts/setup.sh; rocket.sh and test.sh source it and then run inside the environment.
#
# reads   setup.py; PADDLE=2.6.2 chooses another version of Paddle (default 3.3.1), in an environment of its own
# writes  .venv/ (.venv-2.6.2/ ...)

if [ -z "${ROOT:-}" ]; then  # called by itself
    set -eu
    # shellcheck source=run_scripts/lib.sh
    . "$(dirname "$0")/lib.sh"
fi

PADDLE_DEFAULT=3.3.1
EXTRAS=cpu,test,bm25

# installed: whether rocketqa and Paddle (of the version asked for, if any) are there, not just this folder.
installed() {
    (cd / && command -v rocketqa && command python -c "
from importlib.metadata import distributions
versions = {d.name: d.version for d in distributions()}
paddle = versions.get('paddlepaddle') or versions['paddlepaddle-gpu']
raise SystemExit('${PADDLE:-}' not in ('', paddle) or 'rocketqa' not in versions)") >/dev/null 2>&1
}

if [ -z "${ROCKETQA_READY:-}" ] && ! installed; then
    VENV=$ROOT/.venv
    [ "${PADDLE:-$PADDLE_DEFAULT}" = "$PADDLE_DEFAULT" ] || VENV=$ROOT/.venv-$PADDLE
    MARK=$VENV/installed-$(cksum <"$ROOT/setup.py" | tr ' ' -)  # without it, an installation was cut off
    if [ ! -e "$MARK" ]; then
        version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        [ "$version" = 3.11 ] || fail "setup: expected python3 to be Python 3.11, got $version"
        say "setup: making $VENV with Paddle ${PADDLE:-$PADDLE_DEFAULT} (1 to 3 minutes)"
        rm -rf "$VENV"
        python3 -m venv "$VENV"
        "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
            "paddlepaddle==${PADDLE:-$PADDLE_DEFAULT}" --editable "${ROOT}[$EXTRAS]"
        "$VENV/bin/python" -m pip check
        : >"$MARK"
    fi
    PATH=$VENV/bin:$PATH
    export PATH
    installed || fail "setup: expected rocketqa in $VENV, got none that runs: remove the folder and call again"
fi
ROCKETQA_READY=yes
export ROCKETQA_READY
