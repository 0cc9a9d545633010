#!/bin/sh
# Stage 3 (section 3.4): a dual encoder M_D^(1) with denoised hard negatives: what M_D^(0) finds and M_C rejects.
# sh run_scripts/stage3_dual_denoised.sh [ENV]
#
# reads   DATA_DIR: collection.tsv queries.train.tsv qrels.train.tsv; CHECKPOINT_DIR/dual_encoder_0, cross_encoder; INIT
# writes  OUTPUT_DIR/dual_encoder_0.train.run, dual_encoder_0.train.scored.run, denoising.train (a report),
#         examples.dual.1.tsv; CHECKPOINT_DIR/dual_encoder_1
set -eu
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
load_flight "$@"
require_data
require "$CHECKPOINT_DIR/dual_encoder_0" "sh run_scripts/stage1_dual.sh $ENV"
require "$CHECKPOINT_DIR/cross_encoder" "sh run_scripts/stage2_cross.sh $ENV"

retrieve dual_encoder_0 train "$RETRIEVE_DEPTH"
score dual_encoder_0.train train "$DENOISE_DEPTH"
# The dual encoder starts from INIT again (released code), not from dual_encoder_0.
report_denoising denoising.train dual_encoder_0.train train "$DENOISE_DEPTH" "$DATA_DIR/qrels.train.tsv"
sample examples.dual.1.tsv --for dual --scores "$OUTPUT_DIR/dual_encoder_0.train.scored.run" --depth "$DENOISE_DEPTH" \
    --max-score "$MAX_NEGATIVE" --fill-depth "$FILL_DEPTH" --negatives "$DUAL_NEGATIVES"
train_dual dual_encoder_1 "$EPOCHS_3" --queries "$DATA_DIR/queries.train.tsv" \
    --examples "$OUTPUT_DIR/examples.dual.1.tsv"
