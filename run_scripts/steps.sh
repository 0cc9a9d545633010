# The building blocks of the procedure, each one a few `rocketqa` commands. POSIX sh.
# This file is sourced, never run. The stage scripts call these functions after load_env (lib.sh).
#
# source_of NAME                    prints where the rows NAME.tsv are: in DATA_DIR, but the drawn
#                                   training queries, and the parts of the query log that adapt.sh
#                                   makes, in OUTPUT_DIR.
# texts KIND NAME                   prints where the texts of NAME.tsv are for a model of KIND, dual
#                                   or cross: there, or the folder of their tokens.
# is_made WHAT                      is true if this process has asked so before.
# tokenise KIND NAME ...            makes such folders, where TOKENISE asks for them.
# draw_sample NAME FLAGS ..         draws at most 500 labelled training queries into OUTPUT_DIR/NAME.
# choose_start                      with CHOOSE=yes measures INIT on them with each REPRESENTATION and
#                                   SIMILARITY, where the env file leaves one empty, and with each of
#                                   PASSAGE_LENGTHS, and chooses.
# choose_stemmer                    does so for the stemmer of BM25, where the env file leaves it empty.
# stemmer                           prints the stemmer of BM25, as it is set or was chosen; nothing for
#                                   none.
# as_chosen VALUE COLUMN            prints VALUE, or where it is empty what choose_start has chosen.
# as_long LENGTH                    prints a length for a passage of PASSAGE_LENGTH tokens, with as many
#                                   more as choose_start has chosen.
# train_dual NAME EPOCHS QUERIES FLAGS ..  trains the dual encoder CHECKPOINT_DIR/NAME.
# train_in_batch NAME EPOCHS QUERIES FLAGS ..  does so with in-batch negatives.
# train_cross NAME EXAMPLES         trains a cross encoder CHECKPOINT_DIR/NAME on OUTPUT_DIR/EXAMPLES.
# retrieve NAME SPLIT DEPTH         writes OUTPUT_DIR/NAME.SPLIT.run with the dual encoder NAME.
# score RUN SPLIT DEPTH [KNOWN]     writes OUTPUT_DIR/RUN.scored.run with the cross encoder; pairs of
#                                   OUTPUT_DIR/KNOWN.scored.run are not computed again.
# score_pairs NAME SPLIT FLAGS ..   writes OUTPUT_DIR/NAME.scored.run; FLAGS name a run or examples.
# sample_labelled FILE FLAGS ...    writes OUTPUT_DIR/FILE, examples with labelled positives; FLAGS
#                                   name the passages that are the negatives.
# sample_retrieved FILE FLAGS ...   writes OUTPUT_DIR/FILE, examples with negatives from
#                                   RETRIEVER's run of the training queries.
# is_calibrated                     is true if the flight follows the calibration of a cross encoder
#                                   that has held-out pairs.
# depth_is_chosen                   is true if it does so for the depth of scoring, too. With FILL_DEPTH
#                                   it does not: deeper ranks would be taken without denoising.
# choose_depth RUN SPLIT DEPTH FLAGS ..  where it does, writes OUTPUT_DIR/RUN.depth.tsv: how many of the
#                                   first DEPTH ranks hold what rows need, by 200 drawn queries.
# drawn RUN                         prints the name of the run of these queries, where it does.
# as_deep DEPTH RUN                 prints that number of ranks, or DEPTH where it was not chosen.
# calibrate [FOLDER]                where the flight is calibrated, writes OUTPUT_DIR/calibration by
#                                   the held-out pairs of the cross encoder (in FOLDER), and lowers
#                                   MAX_NEGATIVE and MIN_POSITIVE as it says.
# decided STEP COLUMN               prints a column of decision.tsv there, for denoise or augment.
# is_refused MODEL STEP USE         leaves MODEL out and is true where the flight is calibrated and
#                                   held-out pairs speak against STEP, denoise or augment. USE is what
#                                   THRESHOLDS=paper would do all the same.
# report_denoising NAME RUN SPLIT DEPTH [QRELS]  writes the report OUTPUT_DIR/NAME on what the
#                                   thresholds remove from OUTPUT_DIR/RUN.run.
# measure_run NAME RUN FLAGS ..     writes OUTPUT_DIR/NAME.measures.tsv for a run.
# rows_of FILE                      prints the number of lines of a file.
# batch                             prints the number of rows in a batch of a dual encoder.
# fills_a_batch FILE ..             is true if the files in OUTPUT_DIR have the rows of a batch of a dual
#                                   encoder, or THRESHOLDS=paper leaves that to the training.
# higher_threshold                  prints the lowest threshold above MAX_NEGATIVE with which a batch
#                                   of queries has a negative and at most 1 % of the labelled
#                                   passages would be one (5 % of held-out ones); nothing where there
#                                   is none.
# lower_thresholds                  prints the thresholds below MIN_POSITIVE, the highest first, above
#                                   which at most 5 % of the held-out passages without a label would be
#                                   positives; nothing where there are no held-out queries.
# scores_differ RUN                 is true unless the passages of each query in the file RUN share one
#                                   score, so that their ranks say nothing; in a plan it is true.
# note NAME LINE                    prints a line and writes OUTPUT_DIR/NAME.txt for the report.
# leave_out MODEL REASON            notes that MODEL is not trained, and why.
# is_left_out MODEL                 is true if MODEL was left out.
# last_model                        prints the name of the last dual encoder that was trained, or that
#                                   LAST_MODEL names (adapt.sh).
# evaluate NAME                     retrieves for EVALUATE_SPLIT with the model NAME, and measures.
# retrieve_bm25 SPLIT               writes OUTPUT_DIR/bm25.SPLIT.run.
# index_bm25                        writes OUTPUT_DIR/bm25.index, for a search.
# bm25_found_none SPLIT             is true if BM25 has found nothing for a split.
# fuse MODEL SPLIT FLAGS ..         writes OUTPUT_DIR/fused.SPLIT.run, of the runs of BM25 and MODEL;
#                                   FLAGS say how their weights are chosen.
# measure_reranked FLAGS ..         lets the cross encoder re-rank the fused run of EVALUATE_SPLIT, and
#                                   measures that. FLAGS say how its weight beside the fused scores is
#                                   chosen.
# remove_rows ROW ...               removes the measures of rows that an earlier call had.
# report FLAGS ..                   writes OUTPUT_DIR/report.tsv and report.md; FLAGS name the
#                                   measures.
# baselines                         measures BM25 and the initial weights before any training.

# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"

source_of() {
    case $1 in
        queries.train_sample | queries.held_out) echo "$OUTPUT_DIR/${1#queries.}/queries.tsv" ;;
        queries.log_*) echo "$OUTPUT_DIR/log/$1.tsv" ;;
        qrels.log_*) echo "$OUTPUT_DIR/$1.tsv" ;;
        truth.log_*) echo "$DATA_DIR/truth.unlabelled.tsv" ;;
        *) echo "$DATA_DIR/$1.tsv" ;;
    esac
}

# All seeds of ablation.sh read the same tokens, in TOKENS_DIR.
texts() {
    if [ "$TOKENISE" = yes ]; then
        echo "${TOKENS_DIR:-$OUTPUT_DIR}/tokens.$1/$2"
    else
        source_of "$2"
    fi
}

# A script asks for the same tokens and runs again and again. Only the first time starts a command.
MADE=:
is_made() {
    case $MADE in *":$1:"*) return 0 ;; esac
    MADE=$MADE$1:
    return 1
}

tokenise() {
    [ "$TOKENISE" = yes ] || return 0
    kind_of_model=$1 tokenizer=$INIT
    [ "$1" = dual ] || tokenizer=$INIT_CROSS
    shift
    for texts in "$@"; do
        tokens=$(texts "$kind_of_model" "$texts")
        ! is_made "$tokens $tokenizer" || continue
        flag=--queries
        [ "$texts" != collection ] || flag=--collection
        rocketqa tokenize --output "$tokens" --checkpoint "$tokenizer" \
            "$flag" "$(source_of "$texts")"
    done
}

draw_sample() {
    sample=$OUTPUT_DIR/$1
    shift
    python data_prep/sample_queries.py --output "$sample" \
        --queries "$DATA_DIR/queries.train.tsv" --qrels "$DATA_DIR/qrels.train.tsv" \
        --seed "$SEED" "$@"
}

choose_start() {
    [ "$CHOOSE" = yes ] || return 0
    [ -z "$REPRESENTATION" ] || [ -z "$SIMILARITY" ] || [ -n "$PASSAGE_LENGTHS" ] || return 0
    draw_sample train_sample
    # shellcheck disable=SC2086
    rocketqa choose-start --output "$OUTPUT_DIR/start_choice" --init "$INIT" \
        --collection "$DATA_DIR/collection.tsv" --queries "$OUTPUT_DIR/train_sample/queries.tsv" \
        --qrels "$OUTPUT_DIR/train_sample/qrels.tsv" --seed "$SEED" \
        --query-length "$QUERY_LENGTH" --passage-length "$PASSAGE_LENGTH" \
        --precision "$PRECISION_INFERENCE" ${BATCH_TOKENS:+--batch-tokens "$BATCH_TOKENS"} \
        ${LAYER_NORM_EPS:+--layer-norm-eps "$LAYER_NORM_EPS"} \
        ${REPRESENTATION:+--representation "$REPRESENTATION"} \
        ${SIMILARITY:+--similarity "$SIMILARITY"} ${PASSAGE_LENGTHS:+--longer $PASSAGE_LENGTHS}
}

choose_stemmer() {
    [ "$CHOOSE" = yes ] && [ -z "$BM25_STEMMER" ] || return 0
    ! is_made stemmer_choice || return 0
    draw_sample train_sample
    rocketqa choose-stemmer --output "$OUTPUT_DIR/stemmer_choice" \
        --collection "$DATA_DIR/collection.tsv" --queries "$OUTPUT_DIR/train_sample/queries.tsv" \
        --qrels "$OUTPUT_DIR/train_sample/qrels.tsv" --seed "$SEED" \
        --k1 "$BM25_K1" --b "$BM25_B"
}

# The columns of choice.tsv: 1 stemmer, 3 whether it was chosen.
stemmer() {
    set_or_chosen=$BM25_STEMMER choice=$OUTPUT_DIR/stemmer_choice/choice.tsv
    if [ -z "$BM25_STEMMER" ] && [ "$CHOOSE" = yes ] && [ -e "$choice" ]; then
        set_or_chosen=$(awk -F '\t' '$3 == "yes" { print $1 }' "$choice")
    fi
    [ "$set_or_chosen" = none ] || echo "$set_or_chosen"
}

# The columns of choice.tsv: 1 representation, 2 similarity, 5 whether it was chosen, 6 length.
as_chosen() {
    choice=$OUTPUT_DIR/start_choice/choice.tsv
    if [ -z "$1" ] && [ "$CHOOSE" = yes ] && [ -e "$choice" ]; then
        awk -F '\t' -v column="$2" '$5 == "yes" { print $column }' "$choice"
    else
        echo "$1"
    fi
}

as_long() {
    chosen=$(as_chosen "" 6)
    [ -n "$PASSAGE_LENGTHS" ] && [ -n "$chosen" ] || chosen=$PASSAGE_LENGTH
    echo $(($1 + chosen - PASSAGE_LENGTH))
}

# QUERIES are names such as queries.train, with blanks between; FLAGS name the examples. The
# hyper-parameters come from the env file.
train_dual() {
    name=$1 epochs=$2 queries=$3
    shift 3
    # shellcheck disable=SC2086
    tokenise dual collection $queries
    set -- "$@" --queries
    for texts in $queries; do
        set -- "$@" "$(texts dual "$texts")"
    done
    [ "$RECOMPUTE" = no ] || set -- "$@" --recompute
    [ "$DETERMINISTIC" = no ] || set -- "$@" --deterministic
    [ "$MASK_POSITIVES" = no ] || set -- "$@" --mask-positives "$DATA_DIR/qrels.train.tsv"
    representation=$(as_chosen "$REPRESENTATION" 1)
    similarity=$(as_chosen "$SIMILARITY" 2)
    launch "$DEVICES" train-dual-encoder --output "$CHECKPOINT_DIR/$name" --init "$INIT" \
        --collection "$(texts dual collection)" \
        --query-length "$QUERY_LENGTH" --passage-length "$(as_long "$PASSAGE_LENGTH")" \
        --batch-size "$BATCH_SIZE" --epochs "$epochs" \
        --learning-rate "$LEARNING_RATE" --warmup "$WARMUP" --decay linear \
        --weight-decay "$WEIGHT_DECAY" --negatives "$NEGATIVES" --seed "$SEED" \
        --accumulate "$ACCUMULATE" --precision "$PRECISION" \
        ${representation:+--representation "$representation"} \
        ${similarity:+--similarity "$similarity"} ${TEMPERATURE:+--temperature "$TEMPERATURE"} \
        --save-every "$SAVE_EVERY" --min-steps "$MIN_STEPS" \
        ${MAX_STEPS:+--max-steps "$MAX_STEPS"} \
        ${LAYER_NORM_EPS:+--layer-norm-eps "$LAYER_NORM_EPS"} "$@"
}

# A device alone has no passages of others to leave out, and the model would be that of cross-batch
# negatives. Two chunks of half the size then stand for two devices.
train_in_batch() {
    size=$BATCH_SIZE chunks=$ACCUMULATE
    [ $((DEVICES * chunks)) != 1 ] || [ "$size" = 1 ] || size=$((size / 2)) chunks=2
    with_changes NEGATIVES=in-batch BATCH_SIZE="$size" ACCUMULATE="$chunks" train_dual "$@"
}

train_cross() {
    name=$1 examples=$2
    tokenise cross collection queries.train
    set --
    [ "$DETERMINISTIC" = no ] || set -- --deterministic
    [ "$HELD_OUT" = 0 ] || set -- "$@" --held-out "$HELD_OUT"
    launch "$DEVICES_CROSS" train-cross-encoder --output "$CHECKPOINT_DIR/$name" \
        --init "$INIT_CROSS" --collection "$(texts cross collection)" \
        --queries "$(texts cross queries.train)" --examples "$OUTPUT_DIR/$examples" \
        --max-length "$(as_long "$PAIR_LENGTH")" \
        --batch-size "$BATCH_SIZE_CROSS" --epochs "$EPOCHS_CROSS" \
        --learning-rate "$LEARNING_RATE_CROSS" --warmup "$WARMUP_CROSS" --decay "$DECAY_CROSS" \
        --weight-decay "$WEIGHT_DECAY_CROSS" --accumulate "$ACCUMULATE_CROSS" \
        --precision "$PRECISION_CROSS" --fgm "$FGM" --seed "$SEED" \
        --save-every "$SAVE_EVERY" --min-steps "$MIN_STEPS_CROSS" \
        ${LAYER_NORM_EPS:+--layer-norm-eps "$LAYER_NORM_EPS"} \
        ${MAX_STEPS:+--max-steps "$MAX_STEPS"} "$@"
}

# The vectors stay in OUTPUT_DIR/NAME.vectors; those of the collection serve every split.
retrieve() {
    ! is_made "$OUTPUT_DIR/$1.$2.run $3" || return 0
    vectors=$OUTPUT_DIR/$1.vectors
    tokenise dual collection "queries.$2"
    launch "$DEVICES_INFERENCE" encode --output "$vectors/collection" \
        --checkpoint "$CHECKPOINT_DIR/$1" --collection "$(texts dual collection)" \
        --passage-length "$(as_long "$PASSAGE_LENGTH")" --precision "$PRECISION_INFERENCE" \
        ${BATCH_TOKENS:+--batch-tokens "$BATCH_TOKENS"}
    launch "$DEVICES_INFERENCE" encode --output "$vectors/queries.$2" \
        --checkpoint "$CHECKPOINT_DIR/$1" --queries "$(texts dual "queries.$2")" \
        --query-length "$QUERY_LENGTH" --precision "$PRECISION_INFERENCE" \
        ${BATCH_TOKENS:+--batch-tokens "$BATCH_TOKENS"}
    rocketqa retrieve --output "$OUTPUT_DIR/$1.$2.run" --query-vectors "$vectors/queries.$2" \
        --passage-vectors "$vectors/collection" --depth "$3"
}

# The cross encoder scores the first DEPTH passages that OUTPUT_DIR/RUN.run has for each query.
score() {
    score_pairs "$1" "$2" --run "$OUTPUT_DIR/$1.run" --depth "$3" \
        ${4:+--known "$OUTPUT_DIR/$4.scored.run"}
}

score_pairs() {
    scored=$OUTPUT_DIR/$1.scored.run split=$2
    shift 2
    tokenise cross collection "queries.$split"
    launch "$DEVICES_INFERENCE" score --output "$scored" \
        --checkpoint "$CHECKPOINT_DIR/cross_encoder" --collection "$(texts cross collection)" \
        --queries "$(texts cross "queries.$split")" "$@" \
        --max-length "$(as_long "$PAIR_LENGTH")" --precision "$PRECISION_INFERENCE" \
        ${BATCH_TOKENS:+--batch-tokens "$BATCH_TOKENS"}
}

# Official code: passages with the same words as a positive are not used as negatives.
sample_labelled() {
    output=$OUTPUT_DIR/$1
    shift
    [ ! -e "$DATA_DIR/qrels.train.addition.tsv" ] ||
        set -- "$@" --also-positive "$DATA_DIR/qrels.train.addition.tsv"
    rocketqa sample-negatives --output "$output" --qrels "$DATA_DIR/qrels.train.tsv" \
        --seed "$SEED" "$@"
}

# With POSITIVES=answers, the positive of a query is the first retrieved passage that contains one of
# its answers. RETRIEVER has found the passages.
RETRIEVER=dual_encoder_0
sample_retrieved() {
    examples=$1
    shift
    set -- --run "$OUTPUT_DIR/$RETRIEVER.train.run" "$@"
    if [ "$POSITIVES" = labels ]; then
        sample_labelled "$examples" "$@"
        return
    fi
    require "$DATA_DIR/answers.train.tsv" \
        "${DATA_PREP:-the answers of each query: query_id, answer, answer ...}"
    rocketqa sample-negatives --output "$OUTPUT_DIR/$examples" \
        --answers "$DATA_DIR/answers.train.tsv" --collection "$DATA_DIR/collection.tsv" \
        --seed "$SEED" "$@"
}

is_calibrated() {
    [ "$THRESHOLDS" = calibrated ] && [ "$HELD_OUT" != 0 ]
}

depth_is_chosen() {
    is_calibrated && [ "$FILL_DEPTH" = 0 ]
}

# FLAGS say what a query needs besides sure negatives.
choose_depth() {
    depth_is_chosen || return 0
    chosen_run=$1 split=$2 deepest=$3
    shift 3
    score_pairs "$chosen_run.drawn" "$split" --run "$OUTPUT_DIR/$chosen_run.run" \
        --depth "$deepest" --sample 200 --seed "$SEED"
    rocketqa choose-depth --output "$OUTPUT_DIR/$chosen_run.depth.tsv" \
        --run "$OUTPUT_DIR/$chosen_run.run" --scores "$OUTPUT_DIR/$chosen_run.drawn.scored.run" \
        --depth "$deepest" --negatives "$DUAL_NEGATIVES" --max-negative "$MAX_NEGATIVE" "$@"
}

drawn() {
    ! depth_is_chosen || echo "$1.drawn"
}

# The columns of depth.tsv: 1 depth, 4 whether it was chosen.
as_deep() {
    by_depth=$OUTPUT_DIR/$2.depth.tsv
    if depth_is_chosen && [ -e "$by_depth" ]; then
        awk -F '\t' '$4 == "yes" { print $1 }' "$by_depth"
    else
        echo "$1"
    fi
}

# The columns of decision.tsv: 1 step, 2 answer, 3 evidence, 4 threshold.
calibrate() {
    held_out=${1-$CHECKPOINT_DIR/cross_encoder}/held_out.tsv
    is_calibrated && [ -e "$held_out" ] || return 0
    rocketqa calibrate --output "$OUTPUT_DIR/calibration" --held-out-pairs "$held_out" \
        --max-negative "$MAX_NEGATIVE" --min-positive "$MIN_POSITIVE"
    [ "${PLAN-no}" = no ] || return 0
    MAX_NEGATIVE=$(decided denoise 4) MIN_POSITIVE=$(decided augment 4)
}

decided() {
    awk -F '\t' -v step="$1" -v column="$2" '$1 == step { print $column }' \
        "$OUTPUT_DIR/calibration/decision.tsv"
}

# A cross encoder without held-out pairs leaves the decisions of an earlier one behind.
is_refused() {
    is_calibrated && [ "${PLAN-no}" = no ] || return 1
    [ -e "$CHECKPOINT_DIR/cross_encoder/held_out.tsv" ] || return 1
    [ -e "$OUTPUT_DIR/calibration/decision.tsv" ] || return 1
    [ "$(decided "$2" 2)" = no ] || return 1
    leave_out "$1" "the cross encoder does not agree with the held-out labels:\
 $(decided "$2" 3); train the cross encoder longer (MIN_STEPS_CROSS=$MIN_STEPS_CROSS) or on more\
 labels, or set THRESHOLDS=paper to $3 all the same: $OUTPUT_DIR/calibration/report.md has the\
 calibration"
}

report_denoising() {
    output=$OUTPUT_DIR/$1 run=$OUTPUT_DIR/$2 split=$3 depth=$4 qrels=${5-}
    set -- --run "$run.run" --scores "$run.scored.run" --depth "$depth" \
        --collection "$DATA_DIR/collection.tsv" --queries "$(source_of "queries.$split")" \
        --max-negative "$MAX_NEGATIVE" --min-positive "$MIN_POSITIVE"
    [ -z "$qrels" ] || set -- "$@" --qrels "$qrels"
    held_out=$CHECKPOINT_DIR/cross_encoder/held_out.tsv
    [ ! -e "$held_out" ] || set -- "$@" --held-out-pairs "$held_out"
    truth=$(source_of "truth.$split")
    [ ! -e "$truth" ] || set -- "$@" --truth "$truth"
    rocketqa report-denoising --output "$output" "$@"
}

# EVALUATE_BY chooses labels or answers. If DATA_DIR has truth.SPLIT.tsv, which names every relevant
# passage, the measures by it go to OUTPUT_DIR/NAME.measures-truth.tsv.
measure_run() {
    measured=$OUTPUT_DIR/$1.measures truth=$DATA_DIR/truth.$EVALUATE_SPLIT.tsv run=$2
    shift 2
    if [ -e "$truth" ]; then
        rocketqa evaluate --run "$run" --qrels "$truth" "$@" --output "$measured-truth.tsv" \
            >/dev/null
    fi
    if [ "$EVALUATE_BY" = labels ]; then
        set -- "$@" --qrels "$(source_of "qrels.$EVALUATE_SPLIT")"
    else
        set -- "$@" --answers "$DATA_DIR/answers.$EVALUATE_SPLIT.tsv" \
            --collection "$DATA_DIR/collection.tsv"
    fi
    [ "$EVALUATE_BY" != answers-by-characters ] || set -- "$@" --match characters
    rocketqa evaluate --run "$run" "$@" --output "$measured.tsv" >/dev/null
}

rows_of() {
    echo $(($(wc -l <"$1")))
}

batch() {
    echo $((BATCH_SIZE * DEVICES * ACCUMULATE))
}

fills_a_batch() {
    [ "$THRESHOLDS" = calibrated ] && [ "${PLAN-no}" = no ] || return 0
    rows=$(($(cd "$OUTPUT_DIR" && cat "$@" | wc -l)))
    [ "$rows" -ge "$(batch)" ]
}

# The columns are those of the denoising report: 1 threshold, 4 queries with a negative, 5 share of
# the labelled passages below; where there are held-out queries, 7 share of theirs. The cross encoder
# was trained on the others, so that fewer of them are below: of held-out ones 5 % may be.
higher_threshold() {
    awk -F '\t' -v lowest="$MAX_NEGATIVE" -v batch="$(batch)" '
        { lost = NF > 6 ? $7 : $5; most = NF > 6 ? 0.05 : 0.01 }
        NR > 1 && $1 + 0 > lowest + 0 && $4 >= batch && lost <= most { print $1; exit }
    ' "$OUTPUT_DIR/denoising.train/max_negative.tsv"
}

# The columns are those of the denoising report: 1 threshold; where there are held-out queries, 5
# share of their passages without a label that are above.
lower_thresholds() {
    is_calibrated || return 0
    awk -F '\t' -v highest="$MIN_POSITIVE" -v lowest="$MAX_NEGATIVE" '
        NR > 1 && NF > 4 && $1 + 0 < highest + 0 && $1 + 0 > lowest + 0 && $5 <= 0.05 { print $1 }
    ' "$OUTPUT_DIR/denoising.unlabelled/min_positive.tsv" | sort -rn
}

# The columns of a run are query_id, Q0, passage_id, rank, score, tag.
scores_differ() {
    [ "${PLAN-no}" = no ] || return 0
    awk '
        !($1 in first) { first[$1] = $5; next }
        { several = 1 }
        $5 != first[$1] { differ = 1; exit }
        END { exit several && !differ }
    ' "$1"
}

note() {
    say "$2"
    printf '%s\n' "$2" >"$OUTPUT_DIR/$1.txt"
}

leave_out() {
    note "$1.left_out" "$1 is not trained: $2."
}

is_left_out() {
    if [ "$1" = dual_encoder_2 ] && without_unlabelled; then return 0; fi
    [ -e "$OUTPUT_DIR/$1.left_out.txt" ] && [ "${PLAN-no}" = no ]
}

last_model() {
    if [ -n "${LAST_MODEL-}" ]; then
        echo "$LAST_MODEL"
        return
    fi
    for number in 3 2 1 0; do
        [ "$DISTIL$number" != no3 ] || continue
        is_left_out "dual_encoder_$number" || break
    done
    echo "dual_encoder_$number"
}

# The cross encoder re-ranks the first RERANK_DEPTH passages of the last dual encoder (as in
# RocketQAv2, table 3); every other model is a dual encoder.
evaluate() {
    if [ "$1" = cross_encoder ]; then
        last=$(last_model)
        require "$CHECKPOINT_DIR/$last" "sh run_scripts/rocket.sh $ENV"
        retrieve "$last" "$EVALUATE_SPLIT" "$RETRIEVE_DEPTH"
        score "$last.$EVALUATE_SPLIT" "$EVALUATE_SPLIT" "$RERANK_DEPTH"
        run=$OUTPUT_DIR/$last.$EVALUATE_SPLIT.scored.run
    else
        retrieve "$1" "$EVALUATE_SPLIT" "$RETRIEVE_DEPTH"
        run=$OUTPUT_DIR/$1.$EVALUATE_SPLIT.run
    fi
    measure_run "$1" "$run"
}

retrieve_bm25() {
    choose_stemmer
    endings=$(stemmer)
    python data_prep/bm25.py --output "$OUTPUT_DIR/bm25.$1.run" \
        --collection "$DATA_DIR/collection.tsv" \
        --queries "$(source_of "queries.$1")" --depth "$RETRIEVE_DEPTH" \
        --k1 "$BM25_K1" --b "$BM25_B" ${endings:+--stemmer "$endings"}
}

index_bm25() {
    choose_stemmer
    endings=$(stemmer)
    rocketqa bm25-index --output "$OUTPUT_DIR/bm25.index" --collection "$DATA_DIR/collection.tsv" \
        --k1 "$BM25_K1" --b "$BM25_B" ${endings:+--stemmer "$endings"}
}

bm25_found_none() {
    [ ! -s "$OUTPUT_DIR/bm25.$1.run" ] && [ "${PLAN-no}" = no ]
}

fuse() {
    model=$1 split=$2
    shift 2
    rocketqa fuse --output "$OUTPUT_DIR/fused.$split.run" \
        --runs "$OUTPUT_DIR/bm25.$split.run" "$OUTPUT_DIR/$model.$split.run" "$@"
}

measure_reranked() {
    fused=$OUTPUT_DIR/fused.$EVALUATE_SPLIT
    reranked=$OUTPUT_DIR/fused_reranked.$EVALUATE_SPLIT.run
    score "fused.$EVALUATE_SPLIT" "$EVALUATE_SPLIT" "$RERANK_DEPTH" "$(last_model).$EVALUATE_SPLIT"
    if ! scores_differ "$fused.scored.run"; then
        say "$fused.scored.run: the passages of each query have the same score, which re-ranks nothing"
        remove_rows fused_reranked
        return 0
    fi
    rocketqa fuse --output "$reranked" --runs "$fused.run" "$fused.scored.run" \
        --depth "$RERANK_DEPTH" "$@"
    measure_run fused_reranked "$reranked"
}

remove_rows() {
    [ "${PLAN-no}" = no ] || return 0
    for row in "$@"; do
        rm -f "$OUTPUT_DIR/$row".measures*
    done
}

report() {
    set -- "$@" --expected run_scripts/expected.tsv --paper-flight "$PAPER_FLIGHT" \
        --output "$OUTPUT_DIR/report.tsv" \
        --retrieve-depth "$RETRIEVE_DEPTH" --rerank-depth "$RERANK_DEPTH" \
        --checkpoints "$CHECKPOINT_DIR" --vectors "$OUTPUT_DIR" \
        --collection "$DATA_DIR/collection.tsv" \
        --query-length "$QUERY_LENGTH" --max-length "$(as_long "$PAIR_LENGTH")" \
        --last-model "$(last_model)"
    fused=$OUTPUT_DIR/fused.$EVALUATE_SPLIT.run
    if [ "$FUSE" = yes ] && exists "$fused"; then
        set -- "$@" --fused-run "$fused" --bm25-index "$OUTPUT_DIR/bm25.index"
        ! exists "$OUTPUT_DIR/fused_reranked.measures.tsv" ||
            set -- "$@" --reranked-run "$OUTPUT_DIR/fused_reranked.$EVALUATE_SPLIT.run"
    fi
    rocketqa report "$@"
}

# BM25 may find nothing; then its row in the report says so. A training of 0 epochs makes the
# checkpoint `start`: the initial weights, unchanged.
baselines() {
    retrieve_bm25 "$EVALUATE_SPLIT"
    measure_run bm25 "$OUTPUT_DIR/bm25.$EVALUATE_SPLIT.run" --allow-empty
    train_dual start 0 queries.train --examples "$OUTPUT_DIR/examples.dual.0.tsv"
    evaluate start
}
