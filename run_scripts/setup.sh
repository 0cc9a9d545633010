#!/bin/sh
# Makes a virtual environment with the project and its CPU dependencies, unless the active
# environment has them and runs this clone. The other scripts source this file and then run in the
# environment.
# sh run_scripts/setup.sh
# PYTHON=python3.12 sh run_scripts/setup.sh takes another Python.
#
# On a machine with a GPU it makes nothing, and says what to install for the GPU. With GPU=no it makes
# the environment for the CPU there, too.
#
# reads   setup.py; the variables PYTHON: a Python 3.10 to 3.13, a name or a path (default: python3,
#         or else the first of python3.12, python3.11, python3.10 and python3.13 that runs),
#         PADDLE: a version of Paddle (default 3.3.1), and GPU: no, or not set. Each version that is
#         asked for by PYTHON, and each Paddle other than the default, gets an environment of its
#         own.
# writes  .venv/ (with PYTHON=python3.12: .venv-python3.12/; with PADDLE=2.6.2: .venv-2.6.2/)
#
# Cost: 1 to 3 minutes, once; half a minute where the command uv is installed, which then takes the
# place of pip.

# ROOT is empty if this script is run by itself, and set if another script sources it.
if [ -z "${ROOT:-}" ]; then
    set -eu
    # shellcheck source=run_scripts/lib.sh
    . "$(dirname "$0")/lib.sh"
fi

PADDLE_DEFAULT=3.3.1
INDEX=https://www.paddlepaddle.org.cn/packages/stable # of Paddle's builds for GPUs
PATIENCE=10                                           # seconds for nvidia-smi
EXTRAS=cpu,test,bm25,demo,milvus,paddlenlp # on Python 3.13 the extra paddlenlp is empty

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

# ask_for_gpu: sets NAME, DRIVER and CAPABILITY to what nvidia-smi says of the first GPU. Is false
# without nvidia-smi, and where its answer makes no sense, with a line.
ask_for_gpu() {
    command -v nvidia-smi >/dev/null || return 1
    status=0
    answer=$(timeout -k 1 "$PATIENCE" nvidia-smi \
        --query-gpu=name,driver_version,compute_cap --format=csv,noheader 2>&1) || status=$?
    answer=$(printf '%s\n' "$answer" | head -n 1)
    if [ "$status" = 0 ]; then
        CAPABILITY=${answer##*, }
        NAME=${answer%%, *}
        DRIVER=${answer#*, }
        DRIVER=${DRIVER%%, *}
        case "$DRIVER, $CAPABILITY" in
            [0-9]*.[0-9]*", "[0-9]*.[0-9]*) return 0 ;;
        esac
    fi
    case $status in
        124 | 137) got="no answer within $PATIENCE seconds" ;;
        *) got="status $status and '$answer'" ;;
    esac
    say "setup: expected nvidia-smi to name the GPUs, got $got: the environment is made for the CPU"
    return 1
}

# say_what_a_gpu_needs: stops with the commands that install this project for the GPU. Drivers from
# 525 run any CUDA 12; those from 575 know 12.9, and Blackwell (capability 10 and above) needs it.
say_what_a_gpu_needs() {
    anyway="GPU=no before the command makes an environment for the CPU"
    least=525
    [ "${CAPABILITY%%.*}" -lt 10 ] || least=570
    [ "${CAPABILITY%%.*}" -ge 7 ] ||
        fail "setup: expected a GPU of compute capability 7.0 or above, got $NAME with" \
            "$CAPABILITY; $anyway"
    [ "${DRIVER%%.*}" -ge "$least" ] ||
        fail "setup: expected a driver from $least on for $NAME, got $DRIVER: update it; $anyway"
    cuda=cu126
    [ "$least" = 525 ] && [ "${DRIVER%%.*}" -lt 575 ] || cuda=cu129
    say "setup: this machine has a GPU ($NAME, driver $DRIVER). Install for it, in this order:"
    say "    cd $ROOT"
    say "    $PYTHON -m venv .venv-gpu && . .venv-gpu/bin/activate"
    say "    pip install paddlepaddle-gpu==$PADDLE_DEFAULT --index-url $INDEX/$cuda/"
    say "    pip install -e '.[gpu,test,paddlenlp]'"
    say "    rocketqa doctor"
    fail "setup: then call again in this environment; $anyway"
}

# make_environment: makes VENV, of which MARK says that it is complete, with PYTHON.
make_environment() {
    with="PaddleNLP"
    [ "$(python_version "$PYTHON")" != 3.13 ] || with="no PaddleNLP, which has none for Python 3.13"
    say "setup: making $VENV with $("$PYTHON" --version) ($PYTHON)," \
        "Paddle ${PADDLE:-$PADDLE_DEFAULT} and $with (1 to 3 minutes)"
    rm -rf "$VENV"
    interruptible "$PYTHON" -m venv "$VENV"
    set -- "$VENV/bin/python" -m pip install --disable-pip-version-check
    ! command -v uv >/dev/null ||
        set -- uv pip install --compile-bytecode --python "$VENV/bin/python"
    interruptible "$@" --quiet \
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
            [ "${GPU:-}" = no ] || ! ask_for_gpu || say_what_a_gpu_needs
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
