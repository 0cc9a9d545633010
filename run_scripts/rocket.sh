#!/bin/sh
# The whole flight: data, four stages, evaluation of every model, report. What is finished is not made again.
# sh run_scripts/rocket.sh [ENV] [--plan]        SEED=3 DEVICES=1 sh run_scripts/rocket.sh run_scripts/toy.env
#
# --plan: prints every command, rows, steps, disk and hours, and runs nothing.
#
# reads   DATA_DIR (made by DATA_PREP where the env file names a command); INIT, INIT_CROSS
# writes  CHECKPOINT_DIR: dual_encoder_0 cross_encoder dual_encoder_1 dual_encoder_2; OUTPUT_DIR: report.tsv, report.md
set -eu
case "$*" in
    --plan) PLAN=yes && set -- ;;
    *" --plan") PLAN=yes && set -- "$1" ;;
esac
if [ "${PLAN-no}" = yes ]; then
    PLANNED=$(mktemp)
    export PLAN PLANNED
    trap 'rm -f "$PLANNED"' EXIT
fi
# shellcheck source=run_scripts/lib.sh
. "$(dirname "$0")/lib.sh"
load_flight "$@"

prepare_data
require_judged
require_unlabelled
sh run_scripts/stage1_dual.sh "$ENV"
[ "$BASELINES" = no ] || baselines
sh run_scripts/stage2_cross.sh "$ENV"
sh run_scripts/stage3_dual_denoised.sh "$ENV"
sh run_scripts/stage4_dual_augmented.sh "$ENV"
for model in dual_encoder_0 dual_encoder_1 dual_encoder_2 cross_encoder; do
    evaluate "$model"
done
sh run_scripts/reproduce_tables.sh "$ENV"
[ "${PLAN-no}" = no ] || foretell
