#!/bin/sh
# Writes the table of a flight: the measures of every model that is there, beside the paper's numbers.
# sh run_scripts/reproduce_tables.sh [ENV]
#
# reads   OUTPUT_DIR: *.measures.tsv; run_scripts/expected.tsv
# writes  OUTPUT_DIR/report.tsv, report.md
set -eu
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
load_flight "$@"

rows=
for model in bm25 start dual_encoder_0 cross_encoder dual_encoder_1 dual_encoder_2; do
    [ ! -e "$OUTPUT_DIR/$model.measures.tsv" ] || rows="$rows $OUTPUT_DIR/$model.measures.tsv"
done
[ -n "$rows" ] || fail "$OUTPUT_DIR: expected measures of a model, got none; make them with: sh run_scripts/rocket.sh $ENV"
# shellcheck disable=SC2086  # one word a file: names without spaces, as OUTPUT_DIR must be
rocketqa report --measures $rows --expected run_scripts/expected.tsv --paper-flight "$PAPER_FLIGHT" \
    --output "$OUTPUT_DIR/report.tsv"
