#!/bin/sh
# The ablation of the paper's table 3 (on Natural Questions: table 7): in-batch negatives,
# cross-batch negatives, hard negatives without denoising, with denoising, data augmentation; once
# for every seed of ABLATION_SEEDS. If INIT_BERT names weights, stage 1 is trained from BERT-base
# too (table 6). Models that rocket.sh has trained with SEED are not trained again. On one device
# in-batch negatives are those of a chunk of half the size: else they would be the cross-batch ones.
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
ask_first ablation.sh

# The rows of the table, each with the model that it measures.
ROWS_AND_MODELS="in_batch=in_batch cross_batch=dual_encoder_0
    hard_without_denoising=hard_without_denoising denoised=dual_encoder_1 augmented=dual_encoder_2"

# train_rows: trains every model of one seed.
train_rows() {
    sh run_scripts/stage1_dual.sh "$ENV"
    sh run_scripts/stage2_cross.sh "$ENV"
    sh run_scripts/stage3_dual_denoised.sh "$ENV"
    sh run_scripts/stage4_dual_augmented.sh "$ENV"
    train_in_batch in_batch "$EPOCHS_1" queries.train \
        --examples "$OUTPUT_DIR/examples.dual.0.tsv"
    # This row is stage 3 without the cross encoder: it samples as many negatives from the same
    # candidates, and leaves none of them out.
    sample_retrieved examples.dual.noisy.tsv --for dual \
        --depth "$(as_deep "$DENOISE_DEPTH" dual_encoder_0.train)" --negatives "$DUAL_NEGATIVES"
    train_dual hard_without_denoising "$EPOCHS_3" queries.train \
        --examples "$OUTPUT_DIR/examples.dual.noisy.tsv"
    [ -n "$INIT_BERT" ] || return 0
    # BERT keeps the epsilon of its own config.json, and what was chosen was chosen for INIT.
    # Its vocabulary is another, so the tokens of the other models stay as they are.
    with_changes INIT="$INIT_BERT" LAYER_NORM_EPS= TOKENISE=no CHOOSE=no \
        train_dual bert_base "$EPOCHS_1" queries.train --examples "$OUTPUT_DIR/examples.dual.0.tsv"
}

prepare_data ablation.sh
first_seed=$SEED first_output=$OUTPUT_DIR first_checkpoints=$CHECKPOINT_DIR
TOKENS_DIR=$OUTPUT_DIR
export SEED OUTPUT_DIR CHECKPOINT_DIR TOKENS_DIR
set --
for SEED in $ABLATION_SEEDS; do
    OUTPUT_DIR=$first_output CHECKPOINT_DIR=$first_checkpoints
    if [ "$SEED" != "$first_seed" ]; then
        OUTPUT_DIR=$first_output/ablation/$SEED
        CHECKPOINT_DIR=$first_checkpoints/ablation/$SEED
    fi
    mkdir -p "$OUTPUT_DIR" "$CHECKPOINT_DIR"
    train_rows
    for row_and_model in ${INIT_BERT:+bert_base=bert_base} $ROWS_AND_MODELS; do
        model=${row_and_model#*=}
        ! is_left_out "$model" || continue
        if [ "$model" = bert_base ]; then
            with_changes TOKENISE=no evaluate "$model"
        else
            evaluate "$model"
        fi
        set -- "$@" "${row_and_model%=*}" "$SEED" "$OUTPUT_DIR/$model.measures.tsv"
    done
done
rocketqa report --ablation "$@" --expected run_scripts/expected.tsv \
    --paper-flight "$PAPER_FLIGHT" --retrieve-depth "$RETRIEVE_DEPTH" \
    --output "$first_output/ablation.tsv"
