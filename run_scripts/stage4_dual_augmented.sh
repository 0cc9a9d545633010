#!/bin/sh
# Stage 4 (section 3.4): a dual encoder M_D^(2) on D_L and on unlabelled queries whose passages M_C has labelled (D_U).
# sh run_scripts/stage4_dual_augmented.sh [ENV]
#
# reads   DATA_DIR: collection.tsv queries.train.tsv qrels.train.tsv queries.unlabelled.tsv;
#         CHECKPOINT_DIR/dual_encoder_1, cross_encoder; OUTPUT_DIR/examples.dual.1.tsv; INIT
# writes  OUTPUT_DIR/dual_encoder_1.unlabelled.run, dual_encoder_1.unlabelled.scored.run, denoising.unlabelled
#         (a report), examples.augmented.tsv; CHECKPOINT_DIR/dual_encoder_2
set -eu
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
load_flight "$@"
require_data
require_unlabelled
require "$CHECKPOINT_DIR/cross_encoder" "sh run_scripts/stage2_cross.sh $ENV"
require "$CHECKPOINT_DIR/dual_encoder_1" "sh run_scripts/stage3_dual_denoised.sh $ENV"
require "$OUTPUT_DIR/examples.dual.1.tsv" "sh run_scripts/stage3_dual_denoised.sh $ENV"

retrieve dual_encoder_1 unlabelled "$AUGMENT_DEPTH"
score dual_encoder_1.unlabelled unlabelled "$AUGMENT_DEPTH"
report_denoising denoising.unlabelled dual_encoder_1.unlabelled unlabelled "$AUGMENT_DEPTH"
rocketqa pseudo-label --output "$OUTPUT_DIR/examples.augmented.tsv" \
    --run "$OUTPUT_DIR/dual_encoder_1.unlabelled.run" --scores "$OUTPUT_DIR/dual_encoder_1.unlabelled.scored.run" \
    --depth "$AUGMENT_DEPTH" --min-positive "$MIN_POSITIVE" --max-negative "$MAX_NEGATIVE" --negatives "$DUAL_NEGATIVES"
train_dual dual_encoder_2 "$EPOCHS_4" --queries "$DATA_DIR/queries.train.tsv" "$DATA_DIR/queries.unlabelled.tsv" \
    --examples "$OUTPUT_DIR/examples.dual.1.tsv" "$OUTPUT_DIR/examples.augmented.tsv"
