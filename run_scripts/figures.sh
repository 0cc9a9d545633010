#!/bin/sh
# Trains and measures the points of the paper's figures 4 and 6, then writes the report with all
# figures. rocket.sh must have run before.
# sh run_scripts/figures.sh [ENV]
#
# Figure 4 varies the number of random negatives per query (FIGURE_BATCHES), without hard negatives
# and with denoised hard negatives. Each point is trained for as many steps as the corresponding
# stage. Figure 6 varies the size of the augmented data (FIGURE_PARTS).
#
# reads   what rocket.sh has made
# writes  OUTPUT_DIR/figure4.*, figure6.* (examples and measures), report.md, figures/;
#         CHECKPOINT_DIR/figure4.*, figure6.*
set -eu
# shellcheck source=run_scripts/steps.sh
. "$(dirname "$0")/steps.sh"
load_env "$@"
ask_first figures.sh
require "$CHECKPOINT_DIR/dual_encoder_2" "sh run_scripts/rocket.sh $ENV"
# Points of an earlier call are deleted; the models and runs that they were measured on stay.
rm -f "$OUTPUT_DIR"/figure[46].*.measures.tsv*

# steps_of MODEL: prints the number of steps that a model was trained for.
steps_of() {
    tail -n 1 "$CHECKPOINT_DIR/$1/train_log.tsv" | cut -f 1
}

# point_of_figure_4 CURVE N: trains a model as dual_encoder_N was, but in batches of BATCH_SIZE, and
# measures it. For the batch size of the stage itself, the point is dual_encoder_N.
point_of_figure_4() {
    model=dual_encoder_$2 point=figure4.$1.$((BATCH_SIZE * DEVICES * ACCUMULATE - 1))
    if [ "$BATCH_SIZE" = "$stage_batch_size" ]; then
        cp "$OUTPUT_DIR/$model.measures.tsv" "$OUTPUT_DIR/$point.measures.tsv"
        return
    fi
    # MAX_STEPS ends the training; 1,000 epochs are more than it can need.
    with_changes MAX_STEPS="$(steps_of "$model")" train_dual "$point" 1000 \
        queries.train --examples "$OUTPUT_DIR/examples.dual.$2.tsv"
    evaluate "$point"
}

# point_of_figure_6 PERCENT: trains a model on this part of the augmented data, and measures it.
point_of_figure_6() {
    part=$OUTPUT_DIR/figure6.$1.examples.tsv
    # The rows are taken at even distances, because a file of queries may have its sources one after
    # the other.
    awk -v part="$1" 'NR * part % 100 < part' "$OUTPUT_DIR/examples.augmented.tsv" >"$part"
    point=figure6.augmented.$(rows_of "$part")
    train_dual "$point" "$EPOCHS_4" "queries.train queries.unlabelled" \
        --examples "$OUTPUT_DIR/examples.dual.1.tsv" "$part"
    evaluate "$point"
}

stage_batch_size=$BATCH_SIZE
for BATCH_SIZE in $FIGURE_BATCHES; do
    point_of_figure_4 random_negatives 0
    point_of_figure_4 with_denoised_hard_negatives 1
done
BATCH_SIZE=$stage_batch_size
for percent in $FIGURE_PARTS; do
    point_of_figure_6 "$percent"
done
# No augmented data is dual_encoder_1; all of it is dual_encoder_2.
all_rows=$(rows_of "$OUTPUT_DIR/examples.augmented.tsv")
cp "$OUTPUT_DIR/dual_encoder_1.measures.tsv" "$OUTPUT_DIR/figure6.augmented.0.measures.tsv"
cp "$OUTPUT_DIR/dual_encoder_2.measures.tsv" "$OUTPUT_DIR/figure6.augmented.$all_rows.measures.tsv"
sh run_scripts/reproduce_tables.sh "$ENV"
