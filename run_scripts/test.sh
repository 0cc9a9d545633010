#!/bin/sh
# Makes the virtual environment as rocket.sh does, and runs the tests.
# sh run_scripts/test.sh [PYTEST ARGUMENTS]
# PADDLE=2.6.2 sh run_scripts/test.sh tests with another version of Paddle.
#
# reads   setup.py, tests/
# writes  .venv/ (see setup.sh)
set -eu
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
# shellcheck source=run_scripts/setup.sh
. run_scripts/setup.sh
exec python -m pytest "$@" tests
