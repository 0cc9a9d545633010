#!/bin/sh
# Adapts a finished dual encoder to your documents, without labels (beyond the paper: the
# pseudo-labels of section 3.3.3 and the distillation of stage 5). INIT and INIT_CROSS name the
# finished models: folders, or names of released models such as v1_marco_de and v1_marco_ce. INIT
# retrieves for the queries of a log, INIT_CROSS scores what it finds, and INIT is trained on so that
# it ranks as INIT_CROSS does, on the queries that have a passage above MIN_POSITIVE.
# INIT_CROSS was trained on other text, so the ranking of INIT counts half in what is learnt.
# sh run_scripts/adapt.sh [ENV] [--plan]
# DATA_DIR=FOLDER INIT=v1_marco_de INIT_CROSS=v1_marco_ce sh run_scripts/adapt.sh run_scripts/own.env
#
# 500 queries of the log, at most a tenth of it, are held out of the training. The models are
# measured by the labels of EVALUATE_SPLIT, if DATA_DIR has them, otherwise by INIT_CROSS on the
# held-out queries; the report says which. With FUSE=yes BM25 and the last model count half each.
#
# reads   DATA_DIR: collection.tsv, queries.unlabelled.tsv, and where they are there queries.dev.tsv
#         and qrels.dev.tsv; INIT, INIT_CROSS
# writes  CHECKPOINT_DIR/adapted: adapted; start and cross_encoder, which are links to the given
#         models; OUTPUT_DIR/adapted: report.tsv, report.md, denoising.log (pseudo_labels.md has some
#         to read), log (the parts of the queries), vectors, runs and examples
#
# --plan  as in rocket.sh: prints every command, then the rows, steps, disk space and hours, and what
#         would stop it.
#
# Cost: mostly the scoring by INIT_CROSS, AUGMENT_DEPTH pairs for each query of the log (with HELD_OUT
# above 0 at most), RERANK_DEPTH pairs in up to three runs for each held-out query, and the training,
# one row a query.
# Result on the toy data (MRR@10 by the labels / by the full truth, seed 1, AUGMENT_DEPTH=10,
# DEVICES=1): from M_D^(0) with 27.82 / 80.14 it makes 31.42 / 85.93, with M_C of the same flight.
set -eu
case "$*" in
    --plan) PLAN=yes && set -- ;;
    *" --plan") PLAN=yes && set -- "$1" ;;
esac
# shellcheck source=run_scripts/steps.sh
. "$(dirname "$0")/steps.sh"
DATA_FILES="collection.tsv queries.unlabelled.tsv"
load_env "$@"
CHOOSE=no # there are no labels to choose by, and INIT stays as it is
ask_first adapt.sh
prepare_data adapt.sh

# link_model NAME SOURCE: makes CHECKPOINT_DIR/NAME a link to a given model. A released one is fetched.
link_model() {
    name=$1 source=$2
    if [ ! -e "$source" ]; then
        python data_prep/released_models.py import "$source" --output "$CHECKPOINT_DIR/$source"
        source=$CHECKPOINT_DIR/$source
    fi
    case $source in /*) ;; *) source=$ROOT/$source ;; esac
    set -- ln -sfn "$source" "$CHECKPOINT_DIR/$name"
    if [ "${PLAN-no}" = yes ]; then print_command "$@"; else "$@"; fi
}

# label_log: labels the queries of the log that the training may use. The first passages of a query
# are its negatives, denoised by nobody: the teacher says how relevant each is.
label_log() {
    passages=$((DISTIL_NEGATIVES + 1))
    [ "$passages" -gt "$AUGMENT_DEPTH" ] || passages=$AUGMENT_DEPTH
    retrieve start log_train "$passages"
    choose_depth start.log_train log_train "$passages" --min-positive "$MIN_POSITIVE" \
        --negatives "$DISTIL_NEGATIVES" --max-negative 1
    ranks=$(as_deep "$passages" start.log_train)
    score start.log_train log_train "$ranks" "$(drawn start.log_train)"
    report_denoising denoising.log start.log_train log_train "$ranks"
    rocketqa pseudo-label --output "$OUTPUT_DIR/examples.adapted.tsv" \
        --run "$OUTPUT_DIR/start.log_train.run" --scores "$OUTPUT_DIR/start.log_train.scored.run" \
        --depth "$ranks" --min-positive "$MIN_POSITIVE" --max-negative 1 --negatives 1 \
        --negatives-per-row "$DISTIL_NEGATIVES" --allow-empty
}

# leave_as_it_came: says that too few queries of the log can teach anything.
leave_as_it_came() {
    leave_out adapted "$(rows_of "$OUTPUT_DIR/examples.adapted.tsv") of\
 $(rows_of "$OUTPUT_DIR/log/queries.log_train.tsv") queries have a passage above\
 MIN_POSITIVE=$MIN_POSITIVE among the first $ranks, fewer than a batch of $(batch), so the\
 model stays as it came, $CHECKPOINT_DIR/start; take queries that the collection answers, or lower\
 BATCH_SIZE_5 or MIN_POSITIVE: $OUTPUT_DIR/denoising.log/report.md says what each threshold leaves"
    remove_rows adapted
}

# adapt: trains the given dual encoder on, if the log can teach it anything.
adapt() {
    MODELS=start LAST_MODEL=start
    calibrate "$INIT_CROSS"
    python data_prep/split_queries.py --output "$OUTPUT_DIR/log" --count 500 --seed "$SEED" \
        --queries "$DATA_DIR/queries.unlabelled.tsv"
    label_log
    if ! fills_a_batch examples.adapted.tsv; then
        leave_as_it_came
        return
    fi
    MODELS="start adapted" LAST_MODEL=adapted
    train_dual adapted "$EPOCHS_5" queries.log_train \
        --examples "$OUTPUT_DIR/examples.adapted.tsv" \
        --teacher "$OUTPUT_DIR/start.log_train.scored.run" \
        --teacher-retriever "$OUTPUT_DIR/start.log_train.run" \
        --teacher-temperature "$DISTIL_TEMPERATURE" --teacher-weight "$DISTIL_WEIGHT"
}

# has_labels: is true if the queries of EVALUATE_SPLIT and their judgements are there.
has_labels() {
    judgements=qrels
    [ "$EVALUATE_BY" = labels ] || judgements=answers
    data_comes || { [ -e "$DATA_DIR/queries.$EVALUATE_SPLIT.tsv" ] &&
        [ -e "$DATA_DIR/$judgements.$EVALUATE_SPLIT.tsv" ]; }
}

# label_held_out: makes labels of the held-out queries of the log, of the best passage that the cross
# encoder finds among the first ones of all that is compared: the models, and BM25.
label_held_out() {
    part=log_judged
    set --
    for model in $MODELS; do
        retrieve "$model" "$part" "$RETRIEVE_DEPTH"
        score "$model.$part" "$part" "$RERANK_DEPTH"
        set -- "$@" "$OUTPUT_DIR/$model.$part.scored.run"
    done
    [ "$FUSE" = no ] || retrieve_bm25 "$part"
    if [ "$FUSE" = yes ] && ! bm25_found_none "$part"; then
        score "bm25.$part" "$part" "$RERANK_DEPTH"
        set -- "$@" "$OUTPUT_DIR/bm25.$part.scored.run"
    fi
    python data_prep/pseudo_qrels.py --output "$(source_of "qrels.$part")" \
        --min-positive "$MIN_POSITIVE" --scored "$@"
}

# has_rows FILE: is true if a file has a line, and in a plan.
has_rows() {
    [ -s "$1" ] || [ "${PLAN-no}" = yes ]
}

# choose_judge: says by what the models are measured; without labels, by the cross encoder.
choose_judge() {
    if has_labels; then
        JUDGE=labels
        say "the models are measured by the labels of $EVALUATE_SPLIT"
    else
        say "there are no labels of $EVALUATE_SPLIT: INIT_CROSS measures the models"
        JUDGE=cross-encoder EVALUATE_SPLIT=log_judged EVALUATE_BY=labels
        label_held_out
    fi
}

# fuse_adapted: measures BM25 together with the last model, and INIT_CROSS beside both. All count half:
# no label can choose a weight, and INIT_CROSS would choose too much of BM25, because it prefers
# passages with the words of the query (README.md, "No labels at all").
fuse_adapted() {
    fuse "$LAST_MODEL" "$EVALUATE_SPLIT"
    measure_run fused "$OUTPUT_DIR/fused.$EVALUATE_SPLIT.run"
    measure_reranked --weights 1 1
    index_bm25
}

# measure_bm25: measures BM25 alone and together with the last model, if it finds anything.
measure_bm25() {
    retrieve_bm25 "$EVALUATE_SPLIT"
    measure_run bm25 "$OUTPUT_DIR/bm25.$EVALUATE_SPLIT.run" --allow-empty
    if bm25_found_none "$EVALUATE_SPLIT"; then
        say "BM25 found nothing for $EVALUATE_SPLIT, so it is not fused with $LAST_MODEL"
        remove_rows fused fused_reranked
        FUSE=no
    else
        fuse_adapted
    fi
}

# measure: measures everything that is compared on EVALUATE_SPLIT, and writes the report.
measure() {
    if ! exists "$DATA_DIR/truth.$EVALUATE_SPLIT.tsv"; then
        rm -f "$OUTPUT_DIR"/*.measures-truth.tsv # of a call with other judgements
    fi
    for model in $MODELS cross_encoder; do
        evaluate "$model"
    done
    if [ "$FUSE" = yes ]; then
        measure_bm25
    else
        remove_rows bm25 fused fused_reranked
    fi
    set --
    for model in bm25 $MODELS cross_encoder fused fused_reranked; do
        measures=$OUTPUT_DIR/$model.measures.tsv
        if exists "$measures"; then set -- "$@" "$measures"; fi
    done
    set -- --judged-by "$JUDGE" --measures "$@"
    left_out=$OUTPUT_DIR/adapted.left_out.txt
    [ ! -e "$left_out" ] || set -- "$@" --notes "$left_out"
    report "$@"
}

# adapt_and_measure: does everything. What the given model is stays: its vectors, its similarity, its
# tokenizer. No labels are there to mask by, and the report is not on the paper's data.
adapt_and_measure() {
    link_model start "$INIT"
    link_model cross_encoder "$INIT_CROSS"
    INIT=$CHECKPOINT_DIR/start REPRESENTATION='' SIMILARITY='' TEMPERATURE='' LAYER_NORM_EPS=''
    TOKENISE=no MASK_POSITIVES=no THRESHOLDS=calibrated PAPER_FLIGHT=none
    BATCH_SIZE=$BATCH_SIZE_5 LEARNING_RATE=$LEARNING_RATE_5
    adapt
    choose_judge
    if [ "$JUDGE" = labels ] || has_rows "$(source_of qrels.log_judged)"; then
        measure
    else
        say "INIT_CROSS is sure of no passage for a held-out query, so nothing is measured; the model" \
            "to use is $CHECKPOINT_DIR/$LAST_MODEL"
    fi
}

if [ "${PLAN-no}" = no ]; then
    mkdir -p "$OUTPUT_DIR/adapted" "$CHECKPOINT_DIR/adapted"
    rm -f "$OUTPUT_DIR/adapted/adapted.left_out.txt"
fi
with_changes OUTPUT_DIR="$OUTPUT_DIR/adapted" CHECKPOINT_DIR="$CHECKPOINT_DIR/adapted" \
    adapt_and_measure
[ "${PLAN-no}" = no ] || end_plan adapt.sh
