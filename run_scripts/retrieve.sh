#!/bin/sh
# Retrieves the best passages for the queries of one split with one dual encoder (section 3.2:
# exact search by inner product, with faiss).
# sh run_scripts/retrieve.sh MODEL SPLIT [ENV]
#
# reads   DATA_DIR: collection.tsv, queries.SPLIT.tsv; CHECKPOINT_DIR/MODEL
# writes  OUTPUT_DIR/MODEL.vectors/, MODEL.SPLIT.run
set -eu
# shellcheck source=run_scripts/steps.sh
. "$(dirname "$0")/steps.sh"
[ $# -ge 2 ] || fail "retrieve.sh: expected MODEL SPLIT [ENV], got $# arguments"
model=$1 split=$2
shift 2
load_env "$@"
ask_first retrieve.sh
require "$CHECKPOINT_DIR/$model" "sh run_scripts/rocket.sh $ENV"
require "$DATA_DIR/queries.$split.tsv" "${DATA_PREP:-a file of query_id, text}"
retrieve "$model" "$split" "$RETRIEVE_DEPTH"
