#!/bin/sh
# Stage 5 (beyond the paper: RocketQAv2, fixed teacher): trains the dual encoder on from M_D^(2) so
# that its distribution over the passages of a query becomes that of the cross encoder M_C, or with
# DISTIL_TEACHER=mean that of the mean of M_C's logits and those of M_D^(2) as it was. The
# passages are M_D^(2)'s own: of a labelled query, its positive and some drawn from the top; of an
# unlabelled query the top ones, of which the one that M_C finds best is the positive. Where stage 4
# was left out, the last model takes the place of M_D^(2); where there are no unlabelled queries, only
# labelled ones are learnt. Where the flight is calibrated and M_C does not agree with held-out
# labels, nothing is trained, and dual_encoder_3.left_out.txt says why.
# sh run_scripts/stage5_distilled.sh [ENV]
#
# reads   DATA_DIR: collection.tsv, queries.train.tsv, qrels.train.tsv, queries.unlabelled.tsv;
#         CHECKPOINT_DIR/dual_encoder_2, cross_encoder
# writes  OUTPUT_DIR/dual_encoder_2.train.run, dual_encoder_2.unlabelled.run and
#         dual_encoder_2.unlabelled.scored.run, examples.dual.2.tsv, examples.dual.2.scored.run,
#         examples.distilled.tsv; CHECKPOINT_DIR/dual_encoder_3
#
# Cost on the toy data with two cores: about a minute; 6 MB of disk.
# Result on the toy data (MRR@10 by the labels / by the full truth, seed 1): 39.38 / 97.13, below
# M_D^(2) with 40.22 / 97.53, because M_C re-ranks to 38.98 / 94.69 only and has nothing to teach.
# From M_D^(1) with 31.24 / 81.31 instead, the same teacher makes 35.74 / 89.17.
set -eu
# shellcheck source=run_scripts/steps.sh
. "$(dirname "$0")/steps.sh"
load_env "$@"
ask_first stage5_distilled.sh
require_labelled_data
require_unlabelled_queries
require "$CHECKPOINT_DIR/cross_encoder" "sh run_scripts/stage2_cross.sh $ENV"
rm -f "$OUTPUT_DIR"/dual_encoder_3.*.txt
LAST=$(DISTIL=no && last_model)
require "$CHECKPOINT_DIR/$LAST" "sh run_scripts/stage4_dual_augmented.sh $ENV"

# label_unlabelled: makes examples of the unlabelled queries; thresholds of 0 and 1 leave none out.
label_unlabelled() {
    candidates=$((DISTIL_NEGATIVES + 1))
    retrieve "$LAST" unlabelled "$candidates"
    score "$unlabelled" unlabelled "$candidates"
    rocketqa pseudo-label --output "$OUTPUT_DIR/examples.distilled.tsv" \
        --run "$OUTPUT_DIR/$unlabelled.run" --scores "$OUTPUT_DIR/$unlabelled.scored.run" \
        --depth "$candidates" --min-positive 0 --max-negative 1 --negatives 1 \
        --negatives-per-row "$DISTIL_NEGATIVES"
}

calibrate
if is_refused dual_encoder_3 augment distil; then exit 0; fi

# Nothing is denoised: the teacher's distribution says how relevant each passage is.
retrieve "$LAST" train "$DISTIL_DEPTH"
RETRIEVER=$LAST
sample_retrieved examples.dual.2.tsv --for dual --depth "$DISTIL_DEPTH" --order random --negatives 1 \
    --negatives-per-row "$DISTIL_NEGATIVES"
score_pairs examples.dual.2 train --examples "$OUTPUT_DIR/examples.dual.2.tsv"

unlabelled=$LAST.unlabelled
log= # empty where there are no unlabelled queries
if ! without_unlabelled; then
    log=yes
    label_unlabelled
fi
set --
if [ "$DISTIL_TEACHER" = mean ]; then
    set -- --teacher-retriever "$OUTPUT_DIR/$LAST.train.run" ${log:+"$OUTPUT_DIR/$unlabelled.run"}
fi

BATCH_SIZE=$BATCH_SIZE_5 LEARNING_RATE=$LEARNING_RATE_5
if ! fills_a_batch examples.dual.2.tsv ${log:+examples.distilled.tsv}; then
    leave_out dual_encoder_3 "stage 5 has $rows examples, fewer than a batch of $(batch); lower\
 BATCH_SIZE_5=$BATCH_SIZE_5 or take more queries"
    exit 0
fi
# The tokenizer is that of INIT; a folder of tokens belongs to INIT itself, so texts are read.
with_changes INIT="$CHECKPOINT_DIR/$LAST" TOKENISE=no train_dual dual_encoder_3 "$EPOCHS_5" \
    "queries.train${log:+ queries.unlabelled}" \
    --examples "$OUTPUT_DIR/examples.dual.2.tsv" ${log:+"$OUTPUT_DIR/examples.distilled.tsv"} \
    --teacher "$OUTPUT_DIR/examples.dual.2.scored.run" \
    ${log:+"$OUTPUT_DIR/$unlabelled.scored.run"} "$@" \
    --teacher-temperature "$DISTIL_TEMPERATURE" --teacher-weight "$DISTIL_WEIGHT"
