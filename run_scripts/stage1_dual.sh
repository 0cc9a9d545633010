#!/bin/sh
# Stage 1 (section 3.4): a dual encoder M_D^(0) with cross-batch negatives on the labelled data D_L.
# sh run_scripts/stage1_dual.sh [ENV]
#
# reads   DATA_DIR: collection.tsv queries.train.tsv qrels.train.tsv, STAGE_1_RUN where there is one; INIT
# writes  OUTPUT_DIR/examples.dual.0.tsv; CHECKPOINT_DIR/dual_encoder_0
set -eu
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
load_flight "$@"
require_data

# Official code: step 1 has explicit negatives, as many as steps 3 and 4 have: random passages of the collection, or
# (Natural Questions) the first that BM25 has found.
if [ -n "$STAGE_1_RUN" ]; then
    require "$DATA_DIR/$STAGE_1_RUN" "${DATA_PREP:-a run of the training queries, positives left out}"
    set -- --run "$DATA_DIR/$STAGE_1_RUN"
else
    set -- --collection "$DATA_DIR/collection.tsv"
fi
[ ! -e "$DATA_DIR/qrels.train.addition.tsv" ] || set -- "$@" --also-positive "$DATA_DIR/qrels.train.addition.tsv"
rocketqa sample-negatives --output "$OUTPUT_DIR/examples.dual.0.tsv" --for dual --qrels "$DATA_DIR/qrels.train.tsv" \
    --negatives "$DUAL_NEGATIVES" --seed "$SEED" "$@"
train_dual dual_encoder_0 "$EPOCHS_1" --queries "$DATA_DIR/queries.train.tsv" \
    --examples "$OUTPUT_DIR/examples.dual.0.tsv"
