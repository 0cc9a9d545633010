# The machinery of the run scripts: env files, checks of the data, launching, planning. POSIX sh.
# This file is sourced, never run. steps.sh sources it; setup.sh and test.sh need nothing else.
#
# say TEXT ...                prints a line on the standard error stream.
# fail LINE                   prints `place: expected ..., got ...` and exits with status 2.
# stop STATUS                 ends the command that runs, then the script.
# heed_signals                lets signals do so.
# await                       waits for the command that runs in the background; gives its status.
# interruptible COMMAND ...   runs a command so that a signal to the script ends it, too.
# with_changes NAME=VALUE .. FUNCTION ..  runs a function in a shell with other variables.
# find_python NAME            prints the path of a Python 3.10 to 3.13 that a name such as python3.12
#                             calls: on PATH, or else among those that pyenv has.
# python_version PYTHON       prints the version, such as 3.12; is false unless it is 3.10 to 3.13.
# env_variables               prints the names of the variables that the env file sets.
# load_env [ENV]              reads the env file (by default toy.env) and makes `rocketqa` runnable.
# join_nodes FOLDER ...       with NODES above 1, carries the script out on all (nodes.py).
# print_command COMMAND ...   prints a command of the plan, when it first comes up.
# with_variables COMMAND ..   runs a command with NAME=VALUE for each variable of the env file.
# preflight SCRIPT FLAGS ..   prints a line for everything that would stop the script; is true if
#                             nothing would.
# ask_first SCRIPT            stops if something would, else makes the folders; once for a flight.
# end_plan SCRIPT             ends a planned run with its costs and the lines of preflight.
# exists FILE                 is true if FILE exists, or will by then in a planned run.
# require FILE COMMAND        stops unless FILE exists, and names the command that makes it.
# data_comes                  is true if DATA_PREP will make the files of DATA_DIR, or those of them
#                             that DATA_FILES names (adapt.sh), or the initial weights that lie there.
# prepare_data SCRIPT         runs DATA_PREP if one of them is missing, and asks again.
# require_labelled_data       stops unless the collection and the labelled queries D_L exist.
# without_unlabelled          is true if there are no unlabelled queries and the flight goes on without.
# require_unlabelled_queries  stops unless there are some, or the flight goes on without.
# require_evaluation_data     stops unless the queries of EVALUATE_SPLIT and their judgements exist.
# is_finished DEVICES VERB .. is true if the output of a verb exists and is up to date.
# run_processes DEVICES VERB .. runs a verb as several processes, one for each device.
# launch DEVICES VERB ...     runs a verb on as many devices as asked for, unless it is finished.

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 2
}

# The processes of a launch have no terminal, so this variable names the one for their progress.
if [ -t 2 ]; then
    ROCKETQA_TERMINAL=$(tty <&2)
    export ROCKETQA_TERMINAL
fi

# A command may save its work before it ends; further signals wait for that.
stop() {
    trap '' INT TERM HUP
    if [ -n "$RUNNING" ]; then
        kill -TERM "$!" 2>/dev/null || :
        wait "$!" 2>/dev/null || : # a shell says "Terminated" of a command that has only begun
    fi
    exit "$1"
}

heed_signals() {
    RUNNING=
    trap 'stop 130' INT
    trap 'stop 143' TERM
    trap 'stop 129' HUP
}

await() {
    ended=0
    wait "$!" || ended=$?
    RUNNING=
    return "$ended"
}

# A shell that runs a command in the foreground heeds a signal only when the command has ended.
interruptible() {
    RUNNING=yes
    exec "$@" &
    await
}

with_changes() {
    RUNNING=yes
    (
        heed_signals
        while case $1 in *=*) ;; *) false ;; esac do
            export "${1?}"
            shift
        done
        "$@"
    ) &
    await
}

# A plan keeps the commands that it has printed in a file, for itself and the scripts that it calls.
if [ "${PLAN-no}" = yes ] && [ -z "${PLANNED-}" ]; then
    # The file has no name any more while it is used, so that no signal leaves it behind.
    PLANNED=
    trap 'rm -f "$PLANNED"; exit 130' INT
    trap 'rm -f "$PLANNED"; exit 143' TERM
    trap 'rm -f "$PLANNED"; exit 129' HUP
    PLANNED=$(mktemp)
    exec 4>"$PLANNED"
    rm -f "$PLANNED"
    PLANNED=/proc/$$/fd/4
    export PLAN PLANNED
fi
heed_signals
sh() { interruptible sh "$@"; }
rocketqa() { interruptible rocketqa "$@"; }
python() { interruptible python "$@"; }

# The commands of a script end with it, also where a signal lets it do nothing (jobs/parents.py).
ROCKETQA_SCRIPTS="${ROCKETQA_SCRIPTS-} $$"
export ROCKETQA_SCRIPTS

ROOT=$(cd "$(dirname "$0")/.." && pwd)

find_python() {
    for found in "$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions"/*/bin/"$1"; do
        if python_version "$found" >/dev/null; then
            "$found" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

python_version() {
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || return 1
    case $version in
        3.10 | 3.11 | 3.12 | 3.13) echo "$version" ;;
        *) return 1 ;;
    esac
}

env_variables() {
    sed -n 's/^\([A-Z][A-Z0-9_]*\)=.*/\1/p' "$ENV"
}

# A variable that the caller has exported wins over the value in the env file.
load_env() {
    ENV=${1:-$ROOT/run_scripts/toy.env}
    [ -f "$ENV" ] || fail "$ENV: expected an env file, got none"
    if LC_ALL=C grep -q "$(printf '\r')$" "$ENV"; then
        fail "$ENV: expected the line ends of Linux, got those of Windows (sed -i 's/\\r$//' mends it)"
    fi
    case $ENV in /*) ;; *) ENV=$PWD/$ENV ;; esac
    cd "$ROOT" || fail "$ROOT: expected a folder, got none"
    set --
    # shellcheck source=run_scripts/toy.env
    said=$( (. "$ENV") 2>&1 >/dev/null) ||
        fail "$ENV: expected lines NAME=VALUE, got: ${said##*"$ENV: "}"
    EXPORTED=
    for name in $(env_variables); do
        if value=$(printenv "$name"); then
            set -- "$@" "$name=$value"
            EXPORTED="$EXPORTED $name"
        fi
    done
    # shellcheck source=run_scripts/toy.env
    . "$ENV"
    for assignment in "$@"; do
        export "${assignment?}"
    done
    ENV=${ENV#"$ROOT/"}
    # shellcheck source=run_scripts/setup.sh
    . run_scripts/setup.sh
    join_nodes "${OUTPUT_DIR-}" "${CHECKPOINT_DIR-}"
}

join_nodes() {
    [ "${NODES:-1}" != 1 ] && [ -z "${ROCKETQA_NODES-}" ] && [ "${PLAN-no}" = no ] || return 0
    ! data_comes || set -- "$@" "$DATA_DIR"
    python -m rocketqa.distributed.nodes "$NODES" "${NODE-}" "${MASTER-}" $$ "$OLDPWD" "$@" || exit
    exit
}

# The words are quoted where needed, so that a shell can read the line back.
print_command() {
    line=
    for word in "$@"; do
        case $word in *[!A-Za-z0-9_.,=/@%+-]* | "") word="'$word'" ;; esac
        line="$line${line:+ }$word"
    done
    # A command that was printed before has made its output by then.
    if ! grep -qxF -e "$line" "$PLANNED"; then
        printf '%s\n' "$line" | tee -a "$PLANNED" >&3
    fi
}

# With PLAN=yes (rocket.sh --plan) every command is printed and nothing is run.
if [ "${PLAN-no}" = yes ]; then
    exec 3>&1
    rocketqa() { print_command rocketqa "$@"; }
    python() { print_command python "$@"; }
fi

# The body is a subshell because it exports every variable of the env file.
with_variables() (
    for name in $(env_variables); do
        export "${name?}"
        set -- "$@" "$name=$(printenv "$name")"
    done
    command "$@"
)

preflight() {
    script=$1
    shift
    [ "${PLAN-no}" = no ] || set -- "$@" --plan
    ! data_comes || set -- "$@" --data-comes
    # EXPORTED is a list of names. The last flag takes one word, so that the variables can follow.
    # shellcheck disable=SC2086
    with_variables rocketqa preflight --exported $EXPORTED "$@" --env "$ENV" --script "$script"
}

# With --plan, wrong variables stop at once; end_plan prints the other lines, below the plan.
ask_first() {
    [ -z "${ROCKETQA_ASKED-}" ] || return 0
    if [ "${PLAN-no}" = no ]; then
        preflight "$1" || exit 2
        mkdir -p "$CHECKPOINT_DIR" "$OUTPUT_DIR"
    elif ! preflight "$1" --variables-only 2>/dev/null; then
        preflight "$1" || exit 2
    fi
    ROCKETQA_ASKED=yes
    export ROCKETQA_ASKED
}

end_plan() {
    with_variables rocketqa plan --script "$1" # the rows, steps, disk space and hours
    preflight "$1" || exit 2
}

exists() {
    [ -e "$1" ] || [ "${PLAN-no}" = yes ]
}

require() {
    if ! exists "$1"; then
        fail "$1: expected it to be made already, got nothing there; make it with: $2"
    fi
}

# The default values are for an env file that lacks variables, which preflight names.
data_comes() {
    [ -n "${DATA_PREP-}" ] && [ -z "${DATA_WAS_MADE-}" ] || return 1
    set -- collection.tsv queries.train.tsv qrels.train.tsv queries.unlabelled.tsv \
        "queries.${EVALUATE_SPLIT-dev}.tsv"
    # shellcheck disable=SC2086
    [ -z "${DATA_FILES-}" ] || set -- $DATA_FILES
    for name in "$@"; do
        [ -e "${DATA_DIR-}/$name" ] || return 0
    done
    for weights in "${INIT-}" "${INIT_CROSS-}"; do
        case $weights in "${DATA_DIR-}"/*) [ -e "$weights" ] || return 0 ;; esac
    done
    return 1
}

prepare_data() {
    data_comes || return 0
    # DATA_PREP is a shell command whose text contains variables, so only eval can run it.
    eval "$DATA_PREP"
    [ "${PLAN-no}" = no ] || return 0
    DATA_WAS_MADE=yes
    preflight "$1" || exit 2
}

require_labelled_data() {
    for name in collection.tsv queries.train.tsv qrels.train.tsv; do
        require "$DATA_DIR/$name" "${DATA_PREP:-$(printf 'DATA_DIR=FOLDER sh %s %s' "$0" "$ENV")}"
    done
}

# Python asks the same (rocketqa/training/plan_numbers.py).
without_unlabelled() {
    [ "$THRESHOLDS" = calibrated ] && [ -z "$DATA_PREP" ] &&
        [ ! -e "$DATA_DIR/queries.unlabelled.tsv" ]
}

require_unlabelled_queries() {
    without_unlabelled || require "$DATA_DIR/queries.unlabelled.tsv" \
        "${DATA_PREP:-queries that nobody has labelled, one a line: query_id, text}"
}

require_evaluation_data() {
    judgements=qrels
    [ "$EVALUATE_BY" = labels ] || judgements=answers
    for name in queries "$judgements"; do
        require "$DATA_DIR/$name.$EVALUATE_SPLIT.tsv" \
            "${DATA_PREP:-a folder with it, named by DATA_DIR}"
    done
}

# `rocketqa VERB --check` exits with 0 if the output is up to date, and with 3 if it must be made.
is_finished() {
    processes=$1
    shift
    status=0
    interruptible env PADDLE_TRAINERS_NUM="$processes" rocketqa "$@" --check || status=$?
    case $status in
        0) return 0 ;;
        3) return 1 ;;
        *) exit "$status" ;;
    esac
}

run_processes() {
    processes=$1
    shift
    program=$(unset -f rocketqa && command -v rocketqa)
    status=0
    python -m rocketqa.distributed.launch "$processes" "$program" "$@" || status=$?
    case $status in
        0) ;;
        2 | 129 | 130 | 143) exit "$status" ;; # a line has said why
        *) fail "rocketqa $1: expected $processes processes to end well, got exit status $status" ;;
    esac
}

launch() {
    processes=$1
    shift
    if [ "$processes" -le 1 ]; then
        rocketqa "$@" || exit $?
    elif [ "${PLAN-no}" = yes ]; then
        print_command python -m rocketqa.distributed.launch "$processes" rocketqa "$@"
    elif ! is_finished "$processes" "$@"; then
        run_processes "$processes" "$@"
    fi
}
