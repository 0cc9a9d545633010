#!/bin/sh
# Stage 2 (section 3.4): trains the cross encoder, M_C, on the labelled queries D_L. Its negatives
# are drawn at random from the top passages of the first dual encoder, M_D^(0), so that it learns
# to judge what this retriever finds.
# sh run_scripts/stage2_cross.sh [ENV]
#
# reads   DATA_DIR: collection.tsv, queries.train.tsv, qrels.train.tsv (with POSITIVES=answers also
#         answers.train.tsv); CHECKPOINT_DIR/dual_encoder_0; INIT_CROSS
# writes  OUTPUT_DIR/dual_encoder_0.vectors, dual_encoder_0.train.run, examples.cross.tsv, with
#         EASY_STEPS_CROSS above 0 examples.cross.easy.tsv; CHECKPOINT_DIR/cross_encoder (first
#         cross_encoder_easy), with HELD_OUT above 0 held_out.tsv in it
#
# Cost on the toy data with two cores: about 17 % of the time of the whole procedure, which takes
# 6 minutes; 18 MB of disk, most of it for the retrieved passages.
# Result on the toy data (MRR@10 by the labels / by the full truth, seed 1): the cross encoder
# reaches 38.98 / 94.69 when it re-ranks the top 50 of the last dual encoder.
set -eu
# shellcheck source=run_scripts/steps.sh
. "$(dirname "$0")/steps.sh"
load_env "$@"
ask_first stage2_cross.sh
require_labelled_data
require "$CHECKPOINT_DIR/dual_encoder_0" "sh run_scripts/stage1_dual.sh $ENV"

retrieve dual_encoder_0 train "$RETRIEVE_DEPTH"
sample_retrieved examples.cross.tsv --for cross --depth "$CROSS_DEPTH" --order random \
    --negatives "$CROSS_NEGATIVES"
if [ "$EASY_STEPS_CROSS" = 0 ]; then
    train_cross cross_encoder examples.cross.tsv
    exit
fi
# Deviation: the paper's negatives are all retrieved. Switch EASY_STEPS_CROSS, 0 in marco.env, nq.env.
sample_labelled examples.cross.easy.tsv --for cross --collection "$DATA_DIR/collection.tsv" \
    --negatives "$CROSS_NEGATIVES"
steps=$EASY_STEPS_CROSS
[ -z "$MAX_STEPS" ] || [ "$MAX_STEPS" -ge "$steps" ] || steps=$MAX_STEPS
with_changes MIN_STEPS_CROSS="$steps" MAX_STEPS="$steps" \
    train_cross cross_encoder_easy examples.cross.easy.tsv
# A folder of tokens belongs to INIT_CROSS itself, so texts are read.
with_changes INIT_CROSS="$CHECKPOINT_DIR/cross_encoder_easy" TOKENISE=no \
    train_cross cross_encoder examples.cross.tsv
