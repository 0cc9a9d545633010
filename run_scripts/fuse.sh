#!/bin/sh
# BM25 and the last dual encoder together, because words and vectors miss different passages.
# rocket.sh calls this script with FUSE=yes; it also works alone after a flight.
# Deviation: the paper does not fuse them, and its cross encoder ranks alone.
# sh run_scripts/fuse.sh [ENV]
#
# The scores of both are scaled for each query and added up (rocketqa fuse). The weight of BM25 is
# chosen by MRR@10 on drawn training queries. The last dual encoder was trained on these queries, so
# beside it BM25 would get too little: the initial weights stand for it there, if they retrieve. The
# cross encoder then re-ranks the fused passages. The queries that were held out of its training
# (HELD_OUT) choose how much its scores count beside the fused ones; without them it ranks alone.
#
# reads   DATA_DIR: collection.tsv, queries.train.tsv, qrels.train.tsv and the data of EVALUATE_SPLIT
#         (here dev); CHECKPOINT_DIR: the last dual encoder, cross_encoder, start with BASELINES=yes
# writes  OUTPUT_DIR: train_sample and held_out (the drawn queries), bm25.dev.run, fused.dev.run and
#         the same of these; fused_reranked.dev.run; fused.measures.tsv, fused_reranked.measures.tsv;
#         bm25.index (for search)
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
HELD_OUT_PAIRS=$CHECKPOINT_DIR/cross_encoder/held_out.tsv # pairs that it was not trained on

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
    scores_differ "$1" ||
        end_without_fusion "$1" "the passages of each query have the same score"
}

# measure_sample RUN: measures OUTPUT_DIR/RUN.run, of the drawn queries.
measure_sample() {
    rocketqa evaluate --run "$OUTPUT_DIR/$1.run" --qrels "$OUTPUT_DIR/train_sample/qrels.tsv" \
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
        --training-qrels "$OUTPUT_DIR/train_sample/qrels.tsv"
}

# rerank_fused: re-ranks for EVALUATE_SPLIT, with the weight that the held-out queries choose. The
# cross encoder ranks alone where there are none, or BM25 or the model cannot be fused for them.
rerank_fused() {
    set -- --weights 0 1
    if [ -e "$HELD_OUT_PAIRS" ]; then
        draw_sample held_out --held-out-pairs "$HELD_OUT_PAIRS"
        retrieve_bm25 held_out
        retrieve "$WEIGHER" held_out "$RETRIEVE_DEPTH"
        if ! bm25_found_none held_out && scores_differ "$OUTPUT_DIR/bm25.held_out.run" &&
            scores_differ "$OUTPUT_DIR/$WEIGHER.held_out.run"; then
            fuse_with "$WEIGHER" held_out
            score fused.held_out held_out "$RERANK_DEPTH"
            held_out=$OUTPUT_DIR/fused.held_out
            set -- --training-runs "$held_out.run" "$held_out.scored.run" \
                --training-qrels "$OUTPUT_DIR/held_out/qrels.tsv"
        else
            say "BM25 is not fused for the held-out queries, so the cross encoder ranks alone"
        fi
    fi
    measure_reranked "$@"
}

draw_sample train_sample
retrieve_words "$EVALUATE_SPLIT"
retrieve_vectors "$LAST" "$EVALUATE_SPLIT"
retrieve_words train_sample
choose_weigher
retrieve_vectors "$WEIGHER" train_sample
fuse_with "$LAST" "$EVALUATE_SPLIT"
measure_run fused "$OUTPUT_DIR/fused.$EVALUATE_SPLIT.run"
index_bm25
score "$LAST.$EVALUATE_SPLIT" "$EVALUATE_SPLIT" "$RERANK_DEPTH"
rerank_fused
