#!/bin/sh
# Makes a virtual environment with the project and its CPU dependencies, unless the active
# environment has them and runs this clone. The other scripts source this file and then run in the
# environment.
# sh run_scripts/setup.sh
# PYTHON=python3.12 sh run_scripts/setup.sh takes another Python.
#
# reads   setup.py; the variables PYTHON: a Python 3.10 to 3.13, a name or a path (default: python3,
#         or else the first of python3.12, python3.11, python3.10 and python3.13 that runs), and
#         PADDLE: a version of Paddle (default 3.3.1). Each version that is asked for by PYTHON, and
#         each Paddle other than the default, gets an environment of its own.
# writes  .venv/ (with PYTHON=python3.12: .venv-python3.12/; with PADDLE=2.6.2: .venv-2.6.2/)
#
# Cost: 1 to 3 minutes, once.

# ROOT is empty if this script is run by itself, and set if another script sources it.
if [ -z "${ROOT:-}" ]; then
    set -eu
    # shellcheck source=run_scripts/lib.sh
    . "$(dirname "$0")/lib.sh"
fi

PADDLE_DEFAULT=3.3.1
EXTRAS=cpu,test,bm25,paddlenlp # on Python 3.13 the extra paddlenlp is empty

# installed: is true if the commands rocketqa and python run this clone, on PYTHON's version if that
# is set, and Paddle is there, in PADDLE's version if that is set. The last line of what it prints
# says what runs instead. It looks from the folder /, where a mere copy of this project cannot be
# imported.
installed() (
    unset -f rocketqa
    code=$(cd "$ROOT/rocketqa" && pwd -P)
    cd /
    for answer in "$(rocketqa --version 2>&1)" "$(command python -m rocketqa.cli --version 2>&1)"; do
        echo "$answer"
        case $answer in *" from $code (Python ${WANTED:-3}."*) ;; *) return 1 ;; esac
    done
    command python -c "
from importlib.metadata import distributions
versions = {d.name: d.version for d in distributions()}
paddle = versions.get('paddlepaddle') or versions.get('paddlepaddle-gpu')
print('Paddle', paddle)
raise SystemExit(paddle is None or '${PADDLE:-}' not in ('', paddle))"
)

# choose_python: sets PYTHON to a path, and WANTED to the version if the caller asked for a Python.
choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        found=$(find_python "$PYTHON") ||
            fail "PYTHON: expected a Python 3.10 to 3.13, got $PYTHON"
        PYTHON=$found
        WANTED=$(python_version "$PYTHON")
        return
    fi
    for name in python3 python3.12 python3.11 python3.10 python3.13; do
        if PYTHON=$(find_python "$name"); then return; fi
    done
    fail "setup: expected Python 3.10 to 3.13, got no such command:" \
        "install one, or say where it is: PYTHON=/path/to/python3.12"
}

# make_environment: makes VENV, of which MARK says that it is complete, with PYTHON.
make_environment() {
    with="PaddleNLP"
    [ "$(python_version "$PYTHON")" != 3.13 ] || with="no PaddleNLP, which has none for Python 3.13"
    say "setup: making $VENV with $("$PYTHON" --version) ($PYTHON)," \
        "Paddle ${PADDLE:-$PADDLE_DEFAULT} and $with (1 to 3 minutes)"
    rm -rf "$VENV"
    interruptible "$PYTHON" -m venv "$VENV"
    interruptible "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
        "paddlepaddle==${PADDLE:-$PADDLE_DEFAULT}" --editable "${ROOT}[$EXTRAS]"
    "$VENV/bin/python" -m pip check
    : >"$MARK"
}

WANTED=
if [ -z "${ROCKETQA_READY:-}" ]; then
    [ -z "${PYTHON:-}" ] || choose_python
    if ! installed >/dev/null; then
        VENV=$ROOT/.venv
        [ "${PADDLE:-$PADDLE_DEFAULT}" = "$PADDLE_DEFAULT" ] || VENV=$VENV-$PADDLE
        [ -z "$WANTED" ] || VENV=$VENV-python$WANTED
        # An installation makes this file last, so an environment without it is incomplete.
        MARK=$VENV/installed-$(cksum <"$ROOT/setup.py" | tr ' ' -)
        if [ ! -e "$MARK" ]; then
            [ -n "${PYTHON:-}" ] || choose_python
            make_environment
        fi
        PATH=$VENV/bin:$PATH
        export PATH
        runs=$(installed) || fail "setup: expected $VENV to run $ROOT/rocketqa, got" \
            "$(echo "$runs" | tail -n 1): unset PYTHONPATH, or remove the folder, and call again"
    fi
fi
ROCKETQA_READY=yes
export ROCKETQA_READY
