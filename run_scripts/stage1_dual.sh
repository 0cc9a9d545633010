#!/bin/sh
# Stage 1 (sections 3.3.1 and 3.4): trains the first dual encoder, M_D^(0), on the labelled queries
# D_L. Every passage of the whole batch, on all devices, is a negative for every query (cross-batch
# negatives).
# sh run_scripts/stage1_dual.sh [ENV]
#
# reads   DATA_DIR: collection.tsv, queries.train.tsv, qrels.train.tsv and, if STAGE_1_RUN names it,
#         a run; INIT
# writes  OUTPUT_DIR/examples.dual.0.tsv; CHECKPOINT_DIR/dual_encoder_0; with TOKENISE=yes, here and
#         in all stages, OUTPUT_DIR/tokens.dual/ and tokens.cross/; with CHOOSE=yes also
#         OUTPUT_DIR/train_sample and start_choice (how INIT is used, and the evidence)
#
# Cost on the toy data with two cores: about 9 % of the time of the whole procedure, which takes
# 6 minutes; 1 MB of disk.
# Result on the toy data (MRR@10 by the labels / by the full truth, medians of seeds 1, 2, 3):
# 27.82 / 79.71. With in-batch negatives only (ablation.sh) it is 25.97 / 78.19.
set -eu
# shellcheck source=run_scripts/steps.sh
. "$(dirname "$0")/steps.sh"
load_env "$@"
ask_first stage1_dual.sh
require_labelled_data

# Official code: stage 1 has explicit negatives too, as many as stages 3 and 4. They are random
# passages of the collection, or (Natural Questions) the first passages that BM25 has found.
if [ -n "$STAGE_1_RUN" ]; then
    require "$DATA_DIR/$STAGE_1_RUN" \
        "${DATA_PREP:-a run of the training queries, positives left out}"
    set -- --run "$DATA_DIR/$STAGE_1_RUN"
else
    set -- --collection "$DATA_DIR/collection.tsv"
fi
sample_labelled examples.dual.0.tsv --for dual --negatives "$DUAL_NEGATIVES" "$@"
choose_start
train_dual dual_encoder_0 "$EPOCHS_1" queries.train \
    --examples "$OUTPUT_DIR/examples.dual.0.tsv"
