# Shared by the run scripts; sourced, never run. POSIX sh.

say() { printf '%s\n' "$*" >&2; }

# fail LINE: one line `place: expected, got` and exit 2.
fail() { say "$*"; exit 2; }

# Workers of a launch see no terminal: tell them that a person looks on.
[ ! -t 2 ] || { ROCKETQA_WATCHED=yes && export ROCKETQA_WATCHED; }

ROOT=$(cd "$(dirname "$0")/.." && pwd)

# variables: the names that the flight's env file sets.
variables() { sed -n 's/^\([A-Z][A-Z0-9_]*\)=.*/\1/p' "$ENV"; }

# load_flight [ENV]: goes to the project's root, reads every variable of the env file (one that the caller has set
# wins over it), and sees to it that `rocketqa` can run.
load_flight() {
    ENV=${1:-$ROOT/run_scripts/toy.env}
    [ -f "$ENV" ] || fail "$ENV: expected a flight's env file, got none"
    case $ENV in /*) ;; *) ENV=$PWD/$ENV ;; esac
    cd "$ROOT" || fail "$ROOT: expected a folder, got none"
    overrides=
    for name in $(variables); do
        eval "given=\${$name+given}; saved_$name=\${$name-}"
        [ -z "$given" ] || overrides="$overrides $name=\$saved_$name"
    done
    # shellcheck source=run_scripts/toy.env
    . "$ENV"
    eval "$overrides"
    ENV=${ENV#"$ROOT/"}
    # shellcheck source=run_scripts/setup.sh
    . run_scripts/setup.sh
    [ "${PLAN-no}" = yes ] || mkdir -p "$CHECKPOINT_DIR" "$OUTPUT_DIR"
}

# planned COMMAND ...: prints a command, so that a shell reads it back; one that is finished by then but once.
planned() {
    line=
    for word in "$@"; do
        case $word in *[!A-Za-z0-9_.,=/@%+-]* | "") word="'$word'" ;; esac
        line="$line${line:+ }$word"
    done
    ! grep -qxF -e "$line" "$PLANNED" || return 0
    printf '%s\n' "$line" | tee -a "$PLANNED" >&3
}

# PLAN=yes (rocket.sh --plan): every command is printed, none is run.
if [ "${PLAN-no}" = yes ]; then
    exec 3>&1
    rocketqa() { planned rocketqa "$@"; }
    python() { planned python "$@"; }
fi

# foretell: rows, steps, disk and hours of the flight.
foretell() {
    set --
    for name in $(variables); do
        eval "set -- \"\$@\" \"$name=\$$name\""
    done
    command rocketqa plan "$@"
}

# require FILE COMMAND: the file, or which command makes it and exit 2.
require() { [ -e "$1" ] || [ "${PLAN-no}" = yes ] || fail "$1: expected it to be made already, got nothing there; make it with: $2"; }

# there FILE: whether it is, or will be in the flight that is planned.
there() { [ -e "$1" ] || [ "${PLAN-no}" = yes ]; }

# prepare_data: makes the flight's files where one is missing and the env file says how.
prepare_data() {
    [ -n "$DATA_PREP" ] || return 0
    for name in collection.tsv queries.train.tsv qrels.train.tsv queries.unlabelled.tsv "queries.$EVALUATE_SPLIT.tsv"; do
        if [ ! -e "$DATA_DIR/$name" ]; then
            eval "$DATA_PREP"
            return
        fi
    done
}

# require_data: the files of D_L and the collection.
require_data() {
    for name in collection.tsv queries.train.tsv qrels.train.tsv; do
        require "$DATA_DIR/$name" "${DATA_PREP:-$(printf 'DATA_DIR=FOLDER sh %s %s' "$0" "$ENV")}"
    done
}

# require_unlabelled: the new queries of stage 4.
require_unlabelled() {
    require "$DATA_DIR/queries.unlabelled.tsv" \
        "${DATA_PREP:-queries that nobody has labelled, one a line: query_id, text}"
}

# require_judged: the queries that are evaluated, and what tells their relevant passages.
require_judged() {
    judgements=qrels
    [ "$EVALUATE_BY" = labels ] || judgements=answers
    for name in queries $judgements; do
        require "$DATA_DIR/$name.$EVALUATE_SPLIT.tsv" "${DATA_PREP:-a folder with it, named by DATA_DIR}"
    done
}

# launch DEVICES VERB ...: runs a verb as so many processes with fleet, one device each; nothing where it is finished.
launch() {
    processes=$1
    shift
    if [ "${PLAN-no}" = yes ] && [ "$processes" -gt 1 ]; then
        planned python -m paddle.distributed.launch --nproc_per_node "$processes" "$(command -v rocketqa)" "$@"
        return
    fi
    if [ "$processes" -le 1 ]; then
        rocketqa "$@" || exit $?
        return
    fi
    status=0
    PADDLE_TRAINERS_NUM=$processes rocketqa "$@" --check || status=$?
    case $status in
        0) return ;;
        3) ;;
        *) exit "$status" ;;
    esac
    # The launcher writes the whole environment into its log folder: it stays out of the flight's.
    log_dir=$(mktemp -d)
    status=0
    python -m paddle.distributed.launch --nproc_per_node "$processes" --log_dir "$log_dir" \
        --log_level WARNING "$(command -v rocketqa)" "$@" ||
        status=$?
    if [ "$status" -ne 0 ]; then
        cat "$log_dir"/workerlog.* >&2
        rm -rf "$log_dir"
        fail "rocketqa $1: expected $processes processes to end well, got exit status $status"
    fi
    rm -rf "$log_dir"
}

# train_dual NAME EPOCHS FLAGS ...: trains CHECKPOINT_DIR/NAME with the flight's hyper-parameters.
train_dual() {
    name=$1 epochs=$2
    shift 2
    [ "$RECOMPUTE" = no ] || set -- "$@" --recompute
    [ "$MASK_POSITIVES" = no ] || set -- "$@" --mask-positives "$DATA_DIR/qrels.train.tsv"
    launch "$DEVICES" train-dual-encoder --output "$CHECKPOINT_DIR/$name" --init "$INIT" \
        --collection "$DATA_DIR/collection.tsv" --query-length "$QUERY_LENGTH" --passage-length "$PASSAGE_LENGTH" \
        --batch-size "$BATCH_SIZE" --epochs "$epochs" --learning-rate "$LEARNING_RATE" --warmup "$WARMUP" \
        --decay linear --weight-decay "$WEIGHT_DECAY" --negatives "$NEGATIVES" --seed "$SEED" \
        --accumulate "$ACCUMULATE" --precision "$PRECISION" --representation "$REPRESENTATION" \
        --save-every "$SAVE_EVERY" --min-steps "$MIN_STEPS" ${MAX_STEPS:+--max-steps "$MAX_STEPS"} \
        ${LAYER_NORM_EPS:+--layer-norm-eps "$LAYER_NORM_EPS"} "$@"
}

# retrieve NAME SPLIT DEPTH: OUTPUT_DIR/NAME.SPLIT.run by the dual encoder CHECKPOINT_DIR/NAME.
retrieve() {
    vectors=$OUTPUT_DIR/$1.vectors
    launch "$DEVICES_INFERENCE" encode --output "$vectors/collection" --checkpoint "$CHECKPOINT_DIR/$1" \
        --collection "$DATA_DIR/collection.tsv" --passage-length "$PASSAGE_LENGTH" --precision "$PRECISION_INFERENCE"
    launch "$DEVICES_INFERENCE" encode --output "$vectors/queries.$2" --checkpoint "$CHECKPOINT_DIR/$1" \
        --queries "$DATA_DIR/queries.$2.tsv" --query-length "$QUERY_LENGTH" --precision "$PRECISION_INFERENCE"
    rocketqa retrieve --output "$OUTPUT_DIR/$1.$2.run" --query-vectors "$vectors/queries.$2" \
        --passage-vectors "$vectors/collection" --depth "$3"
}

# score RUN SPLIT DEPTH: OUTPUT_DIR/RUN.scored.run, the top of OUTPUT_DIR/RUN.run as the cross encoder sees it.
score() {
    launch "$DEVICES_INFERENCE" score --output "$OUTPUT_DIR/$1.scored.run" \
        --checkpoint "$CHECKPOINT_DIR/cross_encoder" --collection "$DATA_DIR/collection.tsv" \
        --queries "$DATA_DIR/queries.$2.tsv" --run "$OUTPUT_DIR/$1.run" --depth "$3" --max-length "$PAIR_LENGTH" \
        --precision "$PRECISION_INFERENCE"
}

# sample FILE FLAGS ...: OUTPUT_DIR/FILE, examples whose negatives are among what dual_encoder_0 finds. Their positives
# are labelled, or POSITIVES=answers finds them too: the first passage with an answer.
sample() {
    output=$OUTPUT_DIR/$1
    shift
    if [ "$POSITIVES" = answers ]; then
        require "$DATA_DIR/answers.train.tsv" "${DATA_PREP:-the answers of each query: query_id, answer, answer ...}"
        set -- "$@" --answers "$DATA_DIR/answers.train.tsv" --collection "$DATA_DIR/collection.tsv"
    else
        set -- "$@" --qrels "$DATA_DIR/qrels.train.tsv"
        # Official code: passages with the words of a positive are no negatives.
        [ ! -e "$DATA_DIR/qrels.train.addition.tsv" ] ||
            set -- "$@" --also-positive "$DATA_DIR/qrels.train.addition.tsv"
    fi
    rocketqa sample-negatives --output "$output" --run "$OUTPUT_DIR/dual_encoder_0.train.run" --seed "$SEED" "$@"
}

# report_denoising NAME RUN SPLIT DEPTH [QRELS]: OUTPUT_DIR/NAME, what the thresholds do to OUTPUT_DIR/RUN.run.
report_denoising() {
    output=$OUTPUT_DIR/$1 run=$OUTPUT_DIR/$2 split=$3 depth=$4 qrels=${5-}
    set -- --run "$run.run" --scores "$run.scored.run" --depth "$depth" --collection "$DATA_DIR/collection.tsv" \
        --queries "$DATA_DIR/queries.$split.tsv" --max-negative "$MAX_NEGATIVE" --min-positive "$MIN_POSITIVE"
    [ -z "$qrels" ] || set -- "$@" --qrels "$qrels"
    [ ! -e "$DATA_DIR/truth.$split.tsv" ] || set -- "$@" --truth "$DATA_DIR/truth.$split.tsv"
    rocketqa report-denoising --output "$output" "$@"
}

# evaluate NAME: OUTPUT_DIR/NAME.measures.tsv on EVALUATE_SPLIT, and NAME.measures-truth.tsv by its truth, if any.
evaluate() {
    if [ "$1" = cross_encoder ]; then  # over the top of the last retriever (RocketQAv2, table 3)
        require "$CHECKPOINT_DIR/dual_encoder_2" "sh run_scripts/rocket.sh $ENV"
        retrieve dual_encoder_2 "$EVALUATE_SPLIT" "$RETRIEVE_DEPTH"
        score "dual_encoder_2.$EVALUATE_SPLIT" "$EVALUATE_SPLIT" "$RERANK_DEPTH"
        run=$OUTPUT_DIR/dual_encoder_2.$EVALUATE_SPLIT.scored.run
    else
        retrieve "$1" "$EVALUATE_SPLIT" "$RETRIEVE_DEPTH"
        run=$OUTPUT_DIR/$1.$EVALUATE_SPLIT.run
    fi
    measure_run "$1" "$run"
}

# measure_run NAME RUN: the measures of a run of EVALUATE_SPLIT, by labels or (EVALUATE_BY=answers) by answers.
measure_run() {
    measured=$OUTPUT_DIR/$1.measures truth=$DATA_DIR/truth.$EVALUATE_SPLIT.tsv run=$2
    if [ "$EVALUATE_BY" = answers ]; then
        set -- --answers "$DATA_DIR/answers.$EVALUATE_SPLIT.tsv" --collection "$DATA_DIR/collection.tsv"
    else
        set -- --qrels "$DATA_DIR/qrels.$EVALUATE_SPLIT.tsv"
    fi
    rocketqa evaluate --run "$run" "$@" --output "$measured.tsv" >/dev/null
    [ ! -e "$truth" ] || rocketqa evaluate --run "$run" --qrels "$truth" --output "$measured-truth.tsv" >/dev/null
}

# baselines: what no training has made: BM25, and INIT as it is (zero-shot).
baselines() {
    python data_prep/bm25.py --output "$OUTPUT_DIR/bm25.$EVALUATE_SPLIT.run" \
        --collection "$DATA_DIR/collection.tsv" --queries "$DATA_DIR/queries.$EVALUATE_SPLIT.tsv" \
        --depth "$RETRIEVE_DEPTH"
    measure_run bm25 "$OUTPUT_DIR/bm25.$EVALUATE_SPLIT.run"
    train_dual start 0 --queries "$DATA_DIR/queries.train.tsv" --examples "$OUTPUT_DIR/examples.dual.0.tsv"
    evaluate start
}
