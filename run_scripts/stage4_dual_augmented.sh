#!/bin/sh
# Stage 4 (sections 3.3.3 and 3.4): trains the last dual encoder, M_D^(2), on the labelled queries
# D_L and on unlabelled queries D_U. For each unlabelled query, M_D^(1) retrieves passages and the
# cross encoder M_C labels them (pseudo-labels).
# sh run_scripts/stage4_dual_augmented.sh [ENV]
#
# reads   DATA_DIR: collection.tsv, queries.train.tsv, qrels.train.tsv, queries.unlabelled.tsv;
#         CHECKPOINT_DIR/dual_encoder_1, cross_encoder; OUTPUT_DIR/examples.dual.1.tsv; INIT
# writes  OUTPUT_DIR/dual_encoder_1.vectors, dual_encoder_1.unlabelled.run,
#         dual_encoder_1.unlabelled.scored.run, examples.augmented.tsv, denoising.unlabelled (a
#         report on what the thresholds remove); CHECKPOINT_DIR/dual_encoder_2. With
#         THRESHOLDS=calibrated also notes, dual_encoder_2.*.txt; with HELD_OUT above 0
#         dual_encoder_1.unlabelled.drawn.scored.run and dual_encoder_1.unlabelled.depth.tsv, how
#         many ranks are scored and why
#
# Cost on the toy data with two cores: about 32 % of the time of the whole procedure, which takes
# 6 minutes; 17 MB of disk, most of it for the retrieved passages.
# Result on the toy data (MRR@10 by the labels / by the full truth, medians of seeds 1, 2, 3):
# 40.22 / 95.24.
set -eu
# shellcheck source=run_scripts/steps.sh
. "$(dirname "$0")/steps.sh"
load_env "$@"
ask_first stage4_dual_augmented.sh
require_labelled_data
require_unlabelled_queries

# pseudo_label: labels the queries that have a passage above MIN_POSITIVE.
pseudo_label() {
    set --
    [ "$THRESHOLDS" = paper ] || set -- --allow-empty
    rocketqa pseudo-label --output "$OUTPUT_DIR/examples.augmented.tsv" \
        --run "$OUTPUT_DIR/dual_encoder_1.unlabelled.run" \
        --scores "$OUTPUT_DIR/dual_encoder_1.unlabelled.scored.run" --depth "$ranks" \
        --min-positive "$MIN_POSITIVE" --max-negative "$MAX_NEGATIVE" \
        --negatives "$DUAL_NEGATIVES" "$@"
}

# lower_threshold: lowers MIN_POSITIVE where it leaves fewer rows than a batch, as far as one is filled.
# Deviation: the paper's thresholds are fixed, and so they are with THRESHOLDS=paper.
lower_threshold() {
    given=$MIN_POSITIVE found=$(rows_of "$OUTPUT_DIR/examples.augmented.tsv")
    for MIN_POSITIVE in $(lower_thresholds); do
        pseudo_label
        fills_a_batch examples.augmented.tsv || continue
        note dual_encoder_2.lowered "MIN_POSITIVE=$given leaves $found examples of stage 4, fewer than a\
 batch of $(batch). It is lowered to $MIN_POSITIVE, above which are at most 5 % of the held-out passages\
 without a label."
        return
    done
}

rm -f "$OUTPUT_DIR"/dual_encoder_2.*.txt
if is_left_out dual_encoder_1; then
    leave_out dual_encoder_2 "stage 4 needs the model and the examples of stage 3, which was left out"
    exit 0
fi
if without_unlabelled; then
    [ "${PLAN-no}" = yes ] || leave_out dual_encoder_2 \
        "stage 4 needs queries without labels, and there is no $DATA_DIR/queries.unlabelled.tsv"
    exit 0
fi
require "$CHECKPOINT_DIR/cross_encoder" "sh run_scripts/stage2_cross.sh $ENV"
require "$CHECKPOINT_DIR/dual_encoder_1" "sh run_scripts/stage3_dual_denoised.sh $ENV"
require "$OUTPUT_DIR/examples.dual.1.tsv" "sh run_scripts/stage3_dual_denoised.sh $ENV"

calibrate
[ ! -e "$OUTPUT_DIR/max_negative" ] || MAX_NEGATIVE=$(cat "$OUTPUT_DIR/max_negative") # of stage 3
if is_refused dual_encoder_2 augment augment; then exit 0; fi
retrieve dual_encoder_1 unlabelled "$AUGMENT_DEPTH"
choose_depth dual_encoder_1.unlabelled unlabelled "$AUGMENT_DEPTH" --min-positive "$MIN_POSITIVE"
ranks=$(as_deep "$AUGMENT_DEPTH" dual_encoder_1.unlabelled)
score dual_encoder_1.unlabelled unlabelled "$ranks" "$(drawn dual_encoder_1.unlabelled)"
report_denoising denoising.unlabelled dual_encoder_1.unlabelled unlabelled "$ranks"
pseudo_label
if ! fills_a_batch examples.augmented.tsv; then lower_threshold; fi
if ! fills_a_batch examples.augmented.tsv; then
    leave_out dual_encoder_2 "stage 4 found $(rows_of "$OUTPUT_DIR/examples.augmented.tsv") new\
 examples, fewer than a batch of $(batch), because few unlabelled\
 queries have a passage above MIN_POSITIVE=$MIN_POSITIVE and another one below\
 MAX_NEGATIVE=$MAX_NEGATIVE among the first $ranks; raise AUGMENT_DEPTH=$AUGMENT_DEPTH or train the\
 cross encoder longer (MIN_STEPS_CROSS=$MIN_STEPS_CROSS): $OUTPUT_DIR/denoising.unlabelled/report.md\
 says what each threshold leaves"
    exit 0
fi
train_dual dual_encoder_2 "$EPOCHS_4" "queries.train queries.unlabelled" \
    --examples "$OUTPUT_DIR/examples.dual.1.tsv" "$OUTPUT_DIR/examples.augmented.tsv"
