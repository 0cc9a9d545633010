#!/bin/sh
# The runs behind the paper's figures 4 and 6, then the report with all figures. A flight must have been flown before.
# Figure 4: the number of random negatives a query, without hard negatives and with the denoised ones, each trained for as
# many steps as the flight's stage. Figure 6: parts of the augmented data.
# sh run_scripts/figures.sh [ENV]
#
# reads   what rocket.sh has made; FIGURE_BATCHES, FIGURE_PARTS
# writes  OUTPUT_DIR/figure4.*, figure6.* (examples and measures), report.md, figures/; CHECKPOINT_DIR/figure4.*, figure6.*
set -eu
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
load_flight "$@"
require "$CHECKPOINT_DIR/dual_encoder_2" "sh run_scripts/rocket.sh $ENV"
rm -f "$OUTPUT_DIR"/figure[46].*.measures.tsv*  # points of an earlier flight; what they were measured of stays

# steps MODEL: how many steps a training has had.
steps() { tail -n 1 "$CHECKPOINT_DIR/$1/train_log.tsv" | cut -f 1; }

# figure_4 CURVE N: a point of figure 4, trained as dual_encoder_N but in batches of BATCH_SIZE; of its own, the model itself.
figure_4() {
    model=dual_encoder_$2 point=figure4.$1.$((BATCH_SIZE * DEVICES * ACCUMULATE - 1))
    if [ "$BATCH_SIZE" = "$batch" ]; then
        cp "$OUTPUT_DIR/$model.measures.tsv" "$OUTPUT_DIR/$point.measures.tsv"
        return
    fi
    (MAX_STEPS=$(steps "$model") && train_dual "$point" 1000 --queries "$DATA_DIR/queries.train.tsv" \
        --examples "$OUTPUT_DIR/examples.dual.$2.tsv")
    evaluate "$point"
}

batch=$BATCH_SIZE
for BATCH_SIZE in $FIGURE_BATCHES; do
    figure_4 random_negatives 0
    figure_4 with_denoised_hard_negatives 1
done
BATCH_SIZE=$batch
for part in $FIGURE_PARTS; do
    # Evenly spaced: the queries' file may have one source after the other.
    awk -v part="$part" 'NR * part % 100 < part' "$OUTPUT_DIR/examples.augmented.tsv" \
        >"$OUTPUT_DIR/figure6.$part.examples.tsv"
    rows=$(($(wc -l <"$OUTPUT_DIR/figure6.$part.examples.tsv")))
    train_dual "figure6.augmented.$rows" "$EPOCHS_4" --queries "$DATA_DIR/queries.train.tsv" \
        "$DATA_DIR/queries.unlabelled.tsv" --examples "$OUTPUT_DIR/examples.dual.1.tsv" \
        "$OUTPUT_DIR/figure6.$part.examples.tsv"
    evaluate "figure6.augmented.$rows"
done
cp "$OUTPUT_DIR/dual_encoder_1.measures.tsv" "$OUTPUT_DIR/figure6.augmented.0.measures.tsv"
cp "$OUTPUT_DIR/dual_encoder_2.measures.tsv" \
    "$OUTPUT_DIR/figure6.augmented.$(($(wc -l <"$OUTPUT_DIR/examples.augmented.tsv"))).measures.tsv"
sh run_scripts/reproduce_tables.sh "$ENV"
