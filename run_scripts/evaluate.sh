#!/bin/sh
# Evaluates one model on the queries of EVALUATE_SPLIT (here dev) and prints its measures (section
# 4.1.2). MODEL is the name of a dual encoder, or `cross_encoder`, which re-ranks the top passages
# of the last dual encoder.
# sh run_scripts/evaluate.sh MODEL [ENV]
#
# reads   DATA_DIR: collection.tsv, queries.dev.tsv, qrels.dev.tsv (by answers:
#         answers.dev.tsv); CHECKPOINT_DIR/MODEL
# writes  OUTPUT_DIR/MODEL.vectors/, MODEL.dev.run, MODEL.measures.tsv and, if DATA_DIR has
#         truth.dev.tsv, MODEL.measures-truth.tsv
set -eu
# shellcheck source=run_scripts/steps.sh
. "$(dirname "$0")/steps.sh"
[ $# -ge 1 ] || fail "evaluate.sh: expected MODEL [ENV], got no arguments"
model=$1
shift
load_env "$@"
ask_first evaluate.sh
require_evaluation_data
require "$CHECKPOINT_DIR/$model" "sh run_scripts/rocket.sh $ENV"
evaluate "$model"
cat "$OUTPUT_DIR/$model.measures.tsv"
