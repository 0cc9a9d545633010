#!/bin/sh
# Stage 1 (section 3.4): a dual encoder M_D^(0) with cross-batch negatives on the labelled data D_L.
# sh run_scripts/stage1_dual.sh [ENV]
#
# reads   DATA_DIR: collection.tsv queries.train.tsv qrels.train.tsv; INIT
# writes  OUTPUT_DIR/examples.dual.0.tsv; CHECKPOINT_DIR/dual_encoder_0
set -eu
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
load_flight "$@"
require_data

# Official code: step 1 has random passages of the collection as explicit negatives, as many as steps 3 and 4 have.
rocketqa sample-negatives --output "$OUTPUT_DIR/examples.dual.0.tsv" --for dual --qrels "$DATA_DIR/qrels.train.tsv" \
    --collection "$DATA_DIR/collection.tsv" --negatives "$DUAL_NEGATIVES" --seed "$SEED"
train_dual dual_encoder_0 "$EPOCHS_1" --queries "$DATA_DIR/queries.train.tsv" \
    --examples "$OUTPUT_DIR/examples.dual.0.tsv"
