#!/bin/sh
# Retrieves the best passages for the queries of a split with one dual encoder (faiss, exact inner product).
# sh run_scripts/retrieve.sh MODEL SPLIT [ENV]
#
# reads   DATA_DIR: collection.tsv queries.SPLIT.tsv; CHECKPOINT_DIR/MODEL
# writes  OUTPUT_DIR/MODEL.vectors/, MODEL.SPLIT.run
set -eu
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
[ $# -ge 2 ] || fail "retrieve.sh: expected MODEL SPLIT [ENV], got $# arguments"
model=$1 split=$2
shift 2
load_flight "$@"
require "$CHECKPOINT_DIR/$model" "sh run_scripts/rocket.sh $ENV"
require "$DATA_DIR/queries.$split.tsv" "${DATA_PREP:-a file of query_id, text}"
retrieve "$model" "$split" "$RETRIEVE_DEPTH"
