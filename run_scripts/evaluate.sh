#!/bin/sh
# Evaluates one model on EVALUATE_SPLIT (dev) and prints its measures: a dual encoder's run, or `cross_encoder`
# re-ranking the top of dual_encoder_2's.
# sh run_scripts/evaluate.sh MODEL [ENV]
#
# reads   DATA_DIR: collection.tsv queries.dev.tsv qrels.dev.tsv (by answers: answers.dev.tsv); CHECKPOINT_DIR/MODEL
# writes  OUTPUT_DIR/MODEL.dev.run, MODEL.measures.tsv (and MODEL.measures-truth.tsv where DATA_DIR has truth.dev.tsv)
set -eu
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[ $# -ge 1 ] || fail "evaluate.sh: expected MODEL [ENV], got no arguments"
model=$1
shift
load_flight "$@"
require_judged
require "$CHECKPOINT_DIR/$model" "sh run_scripts/rocket.sh $ENV"
evaluate "$model"
cat "$OUTPUT_DIR/$model.measures.tsv"
