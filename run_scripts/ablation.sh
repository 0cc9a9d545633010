#!/bin/sh
# The ablation of the paper's table 3 (on Natural Questions: table 7): in-batch negatives,
# cross-batch negatives, hard negatives without denoising, with denoising, data augmentation; once
# for every seed of ABLATION_SEEDS. If INIT_BERT names weights, stage 1 is trained from BERT-base
# too (table 6). Models that rocket.sh has trained with SEED are not trained again.
# sh run_scripts/ablation.sh [ENV]
#
# reads   what rocket.sh reads
# writes  OUTPUT_DIR/ablation.tsv, ablation.md; for seeds other than SEED also
#         OUTPUT_DIR/ablation/SEED/ and CHECKPOINT_DIR/ablation/SEED/
#
# Cost on the toy data with two cores: about three times that of rocket.sh, for two further seeds
# and the extra rows of all three.
# Results on the toy data: in the heads of the stage scripts, and all together in README.md here.
set -eu
# shellcheck source=run_scripts/steps.sh
. "$(dirname "$0")/steps.sh"
load_env "$@"

# train_rows: trains every model of one seed.
train_rows() {
    sh run_scripts/stage1_dual.sh "$ENV"
    sh run_scripts/stage2_cross.sh "$ENV"
    sh run_scripts/stage3_dual_denoised.sh "$ENV"
    sh run_scripts/stage4_dual_augmented.sh "$ENV"
    # The parentheses keep a changed variable within this one training.
    (
        # shellcheck disable=SC2034 # train_dual reads it.
        NEGATIVES=in-batch
        train_dual in_batch "$EPOCHS_1" --queries "$DATA_DIR/queries.train.tsv" \
            --examples "$OUTPUT_DIR/examples.dual.0.tsv"
    )
    # This row is stage 3 without the cross encoder: it samples as many negatives from the same
    # candidates, and leaves none of them out.
    sample examples.dual.noisy.tsv --for dual --depth "$DENOISE_DEPTH" \
        --negatives "$DUAL_NEGATIVES"
    train_dual hard_without_denoising "$EPOCHS_3" --queries "$DATA_DIR/queries.train.tsv" \
        --examples "$OUTPUT_DIR/examples.dual.noisy.tsv"
    [ -n "$INIT_BERT" ] || return 0
    # BERT keeps the epsilon of its own config.json.
    (
        # shellcheck disable=SC2034 # train_dual reads both.
        INIT=$INIT_BERT LAYER_NORM_EPS=
        train_dual bert_base "$EPOCHS_1" --queries "$DATA_DIR/queries.train.tsv" \
            --examples "$OUTPUT_DIR/examples.dual.0.tsv"
    )
}

# evaluate_row ROW MODEL: evaluates a model and adds its row to the table.
evaluate_row() {
    evaluate "$2"
    rows="$rows $1 $SEED $OUTPUT_DIR/$2.measures.tsv"
}

prepare_data
first_seed=$SEED first_output=$OUTPUT_DIR first_checkpoints=$CHECKPOINT_DIR rows=
export SEED OUTPUT_DIR CHECKPOINT_DIR
for SEED in $ABLATION_SEEDS; do
    OUTPUT_DIR=$first_output CHECKPOINT_DIR=$first_checkpoints
    if [ "$SEED" != "$first_seed" ]; then
        OUTPUT_DIR=$first_output/ablation/$SEED
        CHECKPOINT_DIR=$first_checkpoints/ablation/$SEED
    fi
    mkdir -p "$OUTPUT_DIR" "$CHECKPOINT_DIR"
    train_rows
    [ -z "$INIT_BERT" ] || evaluate_row bert_base bert_base
    evaluate_row in_batch in_batch
    evaluate_row cross_batch dual_encoder_0
    evaluate_row hard_without_denoising hard_without_denoising
    evaluate_row denoised dual_encoder_1
    evaluate_row augmented dual_encoder_2
done
# Each row is three words, so OUTPUT_DIR must not contain spaces.
# shellcheck disable=SC2086
rocketqa report --ablation $rows --expected run_scripts/expected.tsv \
    --paper-flight "$PAPER_FLIGHT" --retrieve-depth "$RETRIEVE_DEPTH" \
    --output "$first_output/ablation.tsv"
