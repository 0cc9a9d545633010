#!/bin/sh
# The paper's table 3 (NQ: table 7) by flights of our own, and table 6's BERT-base (INIT_BERT): in-batch, cross-batch,
# hard negatives without denoising, with denoising, augmented; for every seed of ABLATION_SEEDS. What rocket.sh has flown
# with SEED is not flown again.
# sh run_scripts/ablation.sh [ENV]
#
# reads   what rocket.sh reads
# writes  of other seeds OUTPUT_DIR/ablation/SEED/, CHECKPOINT_DIR/ablation/SEED/; OUTPUT_DIR/ablation.tsv, ablation.md
set -eu
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
load_flight "$@"

prepare_data
own_seed=$SEED own_output=$OUTPUT_DIR own_checkpoints=$CHECKPOINT_DIR rows=
export SEED OUTPUT_DIR CHECKPOINT_DIR
for SEED in $ABLATION_SEEDS; do
    OUTPUT_DIR=$own_output CHECKPOINT_DIR=$own_checkpoints
    [ "$SEED" = "$own_seed" ] || OUTPUT_DIR=$own_output/ablation/$SEED CHECKPOINT_DIR=$own_checkpoints/ablation/$SEED
    mkdir -p "$OUTPUT_DIR" "$CHECKPOINT_DIR"
    sh run_scripts/stage1_dual.sh "$ENV"
    sh run_scripts/stage2_cross.sh "$ENV"
    sh run_scripts/stage3_dual_denoised.sh "$ENV"
    sh run_scripts/stage4_dual_augmented.sh "$ENV"
    # shellcheck disable=SC2034  # train_dual reads it
    (NEGATIVES=in-batch && train_dual in_batch "$EPOCHS_1" --queries "$DATA_DIR/queries.train.tsv" \
        --examples "$OUTPUT_DIR/examples.dual.0.tsv")
    # Stage 3 without the cross encoder: the same candidates, the same number, none left out.
    sample examples.dual.noisy.tsv --for dual --depth "$DENOISE_DEPTH" --negatives "$DUAL_NEGATIVES"
    train_dual hard_without_denoising "$EPOCHS_3" --queries "$DATA_DIR/queries.train.tsv" \
        --examples "$OUTPUT_DIR/examples.dual.noisy.tsv"
    if [ -n "$INIT_BERT" ]; then  # table 6: stage 1 from BERT, with its own epsilon
        (INIT=$INIT_BERT LAYER_NORM_EPS='' && train_dual bert_base "$EPOCHS_1" --queries "$DATA_DIR/queries.train.tsv" \
            --examples "$OUTPUT_DIR/examples.dual.0.tsv")
        evaluate bert_base
        rows="$rows bert_base $SEED $OUTPUT_DIR/bert_base.measures.tsv"
    fi
    for row in in_batch:in_batch cross_batch:dual_encoder_0 hard_without_denoising:hard_without_denoising \
        denoised:dual_encoder_1 augmented:dual_encoder_2; do
        evaluate "${row#*:}"
        rows="$rows ${row%%:*} $SEED $OUTPUT_DIR/${row#*:}.measures.tsv"
    done
done
# shellcheck disable=SC2086  # three words a row: names without spaces, as OUTPUT_DIR must be
rocketqa report --ablation $rows --expected run_scripts/expected.tsv --paper-flight "$PAPER_FLIGHT" \
    --output "$own_output/ablation.tsv"
