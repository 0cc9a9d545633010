#!/bin/sh
# Stage 2 (section 3.4): a cross encoder M_C on D_L, its negatives sampled from the top passages of M_D^(0).
# sh run_scripts/stage2_cross.sh [ENV]
#
# reads   DATA_DIR: collection.tsv queries.train.tsv qrels.train.tsv; CHECKPOINT_DIR/dual_encoder_0; INIT_CROSS
# writes  OUTPUT_DIR/dual_encoder_0.train.run, examples.cross.tsv; CHECKPOINT_DIR/cross_encoder
set -eu
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
load_flight "$@"
require_data
require "$CHECKPOINT_DIR/dual_encoder_0" "sh run_scripts/stage1_dual.sh $ENV"

retrieve dual_encoder_0 train "$RETRIEVE_DEPTH"
sample examples.cross.tsv --for cross --depth "$CROSS_DEPTH" --order random --negatives "$CROSS_NEGATIVES"
launch "$DEVICES_CROSS" train-cross-encoder --output "$CHECKPOINT_DIR/cross_encoder" --init "$INIT_CROSS" \
    --collection "$DATA_DIR/collection.tsv" --queries "$DATA_DIR/queries.train.tsv" \
    --examples "$OUTPUT_DIR/examples.cross.tsv" --max-length "$PAIR_LENGTH" --batch-size "$BATCH_SIZE_CROSS" \
    --epochs "$EPOCHS_CROSS" --learning-rate "$LEARNING_RATE_CROSS" --warmup "$WARMUP_CROSS" --decay "$DECAY_CROSS" \
    --weight-decay "$WEIGHT_DECAY_CROSS" --accumulate "$ACCUMULATE_CROSS" --precision "$PRECISION_CROSS" \
    --fgm "$FGM" --seed "$SEED" --save-every "$SAVE_EVERY" --min-steps "$MIN_STEPS_CROSS" \
    ${LAYER_NORM_EPS:+--layer-norm-eps "$LAYER_NORM_EPS"} ${MAX_STEPS:+--max-steps "$MAX_STEPS"}
