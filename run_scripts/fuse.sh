#!/bin/sh
# BM25 and the last dual encoder together, because words and vectors miss different passages.
# rocket.sh calls this script with FUSE=yes; it also works alone after a flight.
# Deviation: the paper does not fuse them.
# sh run_scripts/fuse.sh [ENV]
#
# The scores of both are scaled for each query and added up (rocketqa fuse). The weight of BM25 is
# chosen by MRR@10 on drawn training queries. The last dual encoder was trained on these queries, so
# beside it BM25 would get too little: the initial weights stand for it there, if they retrieve. On
# the same queries the cross encoder re-ranks the fused passages and those of the dual encoder alone;
# where the fused ones are better, it re-ranks them for EVALUATE_SPLIT too. Both measures are printed.
#
# reads   DATA_DIR: collection.tsv, queries.train.tsv, qrels.train.tsv and the data of EVALUATE_SPLIT
#         (here dev); CHECKPOINT_DIR: the last dual encoder, cross_encoder, start with BASELINES=yes
# writes  OUTPUT_DIR: train_sample (the drawn queries), bm25.dev.run, fused.dev.run and the same of
#         train_sample; fused.measures.tsv, fused_reranked.measures.tsv; bm25.index (for search)
set -eu
# shellcheck source=run_scripts/steps.sh
. "$(dirname "$0")/steps.sh"
load_env "$@"
ask_first fuse.sh
require_labelled_data
require_evaluation_data
LAST=$(last_model)
require "$CHECKPOINT_DIR/$LAST" "sh run_scripts/rocket.sh $ENV"
require "$CHECKPOINT_DIR/cross_encoder" "sh run_scripts/stage2_cross.sh $ENV"
SAMPLE=$OUTPUT_DIR/train_sample

# end_without_fusion RUN REASON: says why there is nothing to fuse, and ends the script.
end_without_fusion() {
    say "$1: $2, so BM25 is not fused with $LAST"
    remove_rows fused fused_reranked
    exit 0
}

# retrieve_words SPLIT: makes the run of BM25, and looks whether it can be fused.
retrieve_words() {
    retrieve_bm25 "$1"
    bm25=$OUTPUT_DIR/bm25.$1.run
    ! bm25_found_none "$1" || end_without_fusion "$bm25" "BM25 found nothing"
    require_scores "$bm25"
}

# retrieve_vectors MODEL SPLIT: makes the run of a model, and looks whether it can be fused.
retrieve_vectors() {
    retrieve "$1" "$2" "$RETRIEVE_DEPTH"
    require_scores "$OUTPUT_DIR/$1.$2.run"
}

# require_scores RUN: ends the script where a run has one score for all passages of each query.
require_scores() {
    [ "${PLAN-no}" = no ] || return 0
    scores_differ "$1" ||
        end_without_fusion "$1" "the passages of each query have the same score"
}

# measure_sample RUN: measures OUTPUT_DIR/RUN.run, of the drawn queries.
measure_sample() {
    rocketqa evaluate --run "$OUTPUT_DIR/$1.run" --qrels "$SAMPLE/qrels.tsv" \
        --output "$OUTPUT_DIR/$1.measured.tsv" >/dev/null
}

# mrr_of RUN: prints MRR@10 as measure_sample has measured it.
mrr_of() {
    awk '$1 == "MRR@10" { printf "%.4f", $2 }' "$OUTPUT_DIR/$1.measured.tsv"
}

# choose_weigher: sets WEIGHER to the model that stands for the last one on the drawn queries.
choose_weigher() {
    WEIGHER=$LAST
    [ "$BASELINES" = yes ] || return 0
    require "$CHECKPOINT_DIR/start" "sh run_scripts/rocket.sh $ENV"
    retrieve start train_sample "$RETRIEVE_DEPTH"
    measure_sample start.train_sample
    measure_sample bm25.train_sample
    if start_retrieves; then WEIGHER=start; fi
}

# start_retrieves: is true if the initial weights are at least half as good as BM25.
start_retrieves() {
    [ "${PLAN-no}" = no ] || return 0
    scores_differ "$OUTPUT_DIR/start.train_sample.run" || return 1
    start=$(mrr_of start.train_sample) words=$(mrr_of bm25.train_sample)
    echo "MRR@10 on drawn training queries, before any training: $start of the initial weights,\
 $words of BM25"
    awk "BEGIN { exit !(2 * $start >= $words) }"
}

# fuse_with MODEL SPLIT: fuses BM25 and a model; the same weights are chosen for every split.
fuse_with() {
    fuse "$1" "$2" \
        --training-runs "$OUTPUT_DIR/bm25.train_sample.run" "$OUTPUT_DIR/$WEIGHER.train_sample.run" \
        --training-qrels "$SAMPLE/qrels.tsv"
}

# rerank_sample NAME [KNOWN]: re-ranks the run NAME of the drawn queries, and measures that.
rerank_sample() {
    score "$1.train_sample" train_sample "$RERANK_DEPTH" "${2-}"
    measure_sample "$1.train_sample.scored"
}

# fused_are_better: is true if the fused passages of the drawn queries are re-ranked better.
fused_are_better() {
    [ "${PLAN-no}" = no ] || return 0
    alone=$(mrr_of "$WEIGHER.train_sample.scored") fused=$(mrr_of fused.train_sample.scored)
    echo "MRR@10 of re-ranking, on drawn training queries: $alone of $WEIGHER, $fused of the fused run"
    awk "BEGIN { exit !($fused > $alone) }"
}

draw_sample
retrieve_words "$EVALUATE_SPLIT"
retrieve_vectors "$LAST" "$EVALUATE_SPLIT"
retrieve_words train_sample
choose_weigher
retrieve_vectors "$WEIGHER" train_sample
fuse_with "$WEIGHER" train_sample
fuse_with "$LAST" "$EVALUATE_SPLIT"
measure_run fused "$OUTPUT_DIR/fused.$EVALUATE_SPLIT.run"
index_bm25
rerank_sample "$WEIGHER"
rerank_sample fused "$WEIGHER.train_sample"
if fused_are_better; then
    score "$LAST.$EVALUATE_SPLIT" "$EVALUATE_SPLIT" "$RERANK_DEPTH"
    score "fused.$EVALUATE_SPLIT" "$EVALUATE_SPLIT" "$RERANK_DEPTH" "$LAST.$EVALUATE_SPLIT"
    measure_run fused_reranked "$OUTPUT_DIR/fused.$EVALUATE_SPLIT.scored.run"
else
    say "the fused passages are not re-ranked: it was not better on the drawn training queries"
    remove_rows fused_reranked
fi
