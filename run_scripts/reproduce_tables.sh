#!/bin/sh
# Writes the table of a flight: the measures of every model that is there, beside the paper's numbers; where the flight
# is on the paper's data (TABLES=yes), the paper's tables too, with a verdict for each number.
# sh run_scripts/reproduce_tables.sh [ENV] [--released]
#
# --released: of the released models (RELEASED) instead: fetched, turned into checkpoints, evaluated; all below
# OUTPUT_DIR/released and CHECKPOINT_DIR/released. One that cannot be had is named, and its rows stay "not run".
#
# reads   OUTPUT_DIR: *.measures.tsv, ablation.tsv; DATA_DIR (its counts: table 1); run_scripts/expected.tsv
#         what ablation.sh and figures.sh have left, CHECKPOINT_DIR: train_log.tsv of the models
# writes  OUTPUT_DIR/report.tsv, report.md, figures/, data.measures.tsv
set -eu
case "$*" in
    --released) WHOSE=released && set -- ;;
    *" --released") WHOSE=released && set -- "$1" ;;
    *) WHOSE=ours ;;
esac
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
load_flight "$@"
set --

# released_models: the checkpoints and measures of RELEASED, MODEL=SOURCE each.
released_models() {
    [ -n "$RELEASED" ] || fail "$ENV: expected RELEASED to name released models for this flight, got none"
    prepare_data
    mkdir -p "$OUTPUT_DIR" "$CHECKPOINT_DIR"
    for pair in $RELEASED; do
        set -- import "${pair#*=}" --output "$CHECKPOINT_DIR/${pair%%=*}"
        # The variables of the NAACL release come without their vocabulary, which all released English models share.
        [ ! -e "$CHECKPOINT_DIR/dual_encoder_2/vocab.txt" ] || set -- "$@" --vocab "$CHECKPOINT_DIR/dual_encoder_2/vocab.txt"
        if python data_prep/released_models.py "$@"; then
            evaluate "${pair%%=*}"
        else
            say "${pair#*=}: not to be had, so ${pair%%=*} is left out"
        fi
    done
}

if [ "$WHOSE" = released ]; then
    OUTPUT_DIR=$OUTPUT_DIR/released CHECKPOINT_DIR=$CHECKPOINT_DIR/released
    released_models
fi

rows=
models="dual_encoder_0 dual_encoder_1 dual_encoder_2 cross_encoder"
[ "$BASELINES" = no ] || models="bm25 start $models"
if [ "$TABLES" = yes ]; then
    models="data $models" splits="train dev test"
    [ "${PLAN-no}" = no ] || splits="train $EVALUATE_SPLIT"
    for split in $splits; do
        if there "$DATA_DIR/queries.$split.tsv"; then set -- "$@" "$DATA_DIR/queries.$split.tsv"; fi
    done
    rocketqa statistics --output "$OUTPUT_DIR/data.measures.tsv" --collection "$DATA_DIR/collection.tsv" --queries "$@"
fi
for model in $models; do
    if there "$OUTPUT_DIR/$model.measures.tsv"; then rows="$rows $OUTPUT_DIR/$model.measures.tsv"; fi
done
[ -n "$rows" ] || fail "$OUTPUT_DIR: expected measures of a model, got none; make them with: sh run_scripts/rocket.sh $ENV"
tables=
if [ "$TABLES" = yes ]; then
    tables=--tables
    [ ! -e "$OUTPUT_DIR/ablation.tsv" ] || tables="--tables --ablated $OUTPUT_DIR/ablation.tsv"
fi
set -- --figures
by_rank=$OUTPUT_DIR/denoising.train/by_rank.tsv
if there "$by_rank"; then set -- "$@" --by-rank "$by_rank"; fi
for file in "$OUTPUT_DIR"/figure[46].*.*.measures.tsv; do  # figure, curve, x
    [ -e "$file" ] || continue
    point=${file##*/figure} && point=${point%.measures.tsv} && curve=${point#*.}
    set -- "$@" --curve "${point%%.*}" "$(printf %s "${curve%.*}" | tr _ ' ')" "${curve##*.}" "$file"
done
set -- "$@" --logs
for model in dual_encoder_0 cross_encoder dual_encoder_1 dual_encoder_2; do
    if there "$CHECKPOINT_DIR/$model/train_log.tsv"; then set -- "$@" "$CHECKPOINT_DIR/$model/train_log.tsv"; fi
done
# shellcheck disable=SC2086  # one word a file: names without spaces, as OUTPUT_DIR must be
rocketqa report --measures $rows $tables --expected run_scripts/expected.tsv --paper-flight "$PAPER_FLIGHT" \
    --output "$OUTPUT_DIR/report.tsv" "$@"
