#!/bin/sh
# Writes the report of a flight: which checkpoint to use, the command that searches with it, and
# the measures of every model that exists, beside the paper's numbers.
# With TABLES=yes, which is for the paper's data sets, the report also holds the paper's tables 1,
# 2, 3, 6 and 7 with a verdict on each number.
# sh run_scripts/reproduce_tables.sh [ENV] [--released]
#
# --released  fetches the released models that RELEASED names, turns them into checkpoints and
#             reports on these instead, all below OUTPUT_DIR/released and CHECKPOINT_DIR/released.
#             If a model cannot be fetched, a line names it and its rows stay "not run".
#
# reads   OUTPUT_DIR: *.measures.tsv, ablation.tsv, denoising.train/ and the points of figures.sh;
#         CHECKPOINT_DIR: train_log.tsv of the models; DATA_DIR (its counts are table 1);
#         run_scripts/expected.tsv (the paper's numbers)
# writes  OUTPUT_DIR/report.tsv, report.md, figures/, data.measures.tsv
set -eu
case "$*" in
    --released) WHOSE=released && set -- ;;
    *" --released") WHOSE=released && set -- "$1" ;;
    *) WHOSE=ours ;;
esac
# shellcheck source=run_scripts/steps.sh
. "$(dirname "$0")/steps.sh"
load_env "$@"
ask_first reproduce_tables.sh

# evaluate_released_models: makes and measures the checkpoints of RELEASED (words MODEL=SOURCE).
evaluate_released_models() {
    [ -n "$RELEASED" ] ||
        fail "$ENV: expected RELEASED to name released models, got none"
    prepare_data reproduce_tables.sh
    mkdir -p "$OUTPUT_DIR" "$CHECKPOINT_DIR"
    TOKENISE=no # the tokenizers are those of the released models, not those of INIT and INIT_CROSS
    DISTIL=no   # the released cross encoder re-ranks dual_encoder_2's passages
    vocabulary=$CHECKPOINT_DIR/dual_encoder_2/vocab.txt
    for pair in $RELEASED; do
        model=${pair%%=*} source=${pair#*=}
        set -- import "$source" --output "$CHECKPOINT_DIR/$model"
        # The files of the NAACL release have no vocabulary; all released English models share one.
        [ ! -e "$vocabulary" ] || set -- "$@" --vocab "$vocabulary"
        if python data_prep/released_models.py "$@"; then
            evaluate "$model"
        else
            say "$source: not to be had, so $model is left out"
        fi
    done
}

# write_statistics: counts the rows and words of DATA_DIR (table 1).
write_statistics() {
    splits="train dev test"
    [ "${PLAN-no}" = no ] || splits="train $EVALUATE_SPLIT"
    set --
    for split in $splits; do
        queries=$DATA_DIR/queries.$split.tsv
        if exists "$queries"; then set -- "$@" "$queries"; fi
    done
    rocketqa statistics --output "$OUTPUT_DIR/data.measures.tsv" \
        --collection "$DATA_DIR/collection.tsv" --queries "$@"
}

# write_report FLAGS ...: writes the report with its figures. FLAGS name the measures and tables.
write_report() {
    set -- "$@" --figures
    by_rank=$OUTPUT_DIR/denoising.train/by_rank.tsv
    if exists "$by_rank"; then set -- "$@" --by-rank "$by_rank"; fi
    # The name of a point is figureN.CURVE.X.measures.tsv.
    for file in "$OUTPUT_DIR"/figure[46].*.*.measures.tsv; do
        [ -e "$file" ] || continue
        point=${file##*/figure}
        point=${point%.measures.tsv}
        figure=${point%%.*}
        curve_and_x=${point#*.}
        curve=$(printf %s "${curve_and_x%.*}" | tr _ ' ')
        set -- "$@" --curve "$figure" "$curve" "${curve_and_x##*.}" "$file"
    done
    set -- "$@" --notes
    for note in raised lowered left_out; do
        for file in "$OUTPUT_DIR"/dual_encoder_*."$note".txt; do
            [ ! -e "$file" ] || set -- "$@" "$file"
        done
    done
    set -- "$@" --logs
    for model in dual_encoder_0 cross_encoder dual_encoder_1 dual_encoder_2 $distilled; do
        ! is_left_out "$model" || continue
        log=$CHECKPOINT_DIR/$model/train_log.tsv
        if exists "$log"; then set -- "$@" "$log"; fi
    done
    report "$@"
}

if [ "$WHOSE" = released ]; then
    OUTPUT_DIR=$OUTPUT_DIR/released CHECKPOINT_DIR=$CHECKPOINT_DIR/released
    evaluate_released_models
fi
distilled=
[ "$DISTIL" = no ] || distilled=dual_encoder_3
models="dual_encoder_0 dual_encoder_1 dual_encoder_2 $distilled cross_encoder"
[ "$BASELINES" = no ] || models="bm25 start $models"
[ "$FUSE" = no ] || models="$models fused fused_reranked"
if [ "$TABLES" = yes ]; then
    models="data $models"
    write_statistics
fi
set --
for model in $models; do
    measures=$OUTPUT_DIR/$model.measures.tsv
    ! is_left_out "$model" || continue
    if exists "$measures"; then set -- "$@" "$measures"; fi
done
[ $# -gt 0 ] || fail "$OUTPUT_DIR: expected measures of a model, got none; make them with:" \
    "sh run_scripts/rocket.sh $ENV"
if [ "$TABLES" = yes ]; then
    set -- "$@" --tables
    ablation=$OUTPUT_DIR/ablation.tsv
    [ ! -e "$ablation" ] || set -- "$@" --ablated "$ablation"
fi
write_report --measures "$@"
