#!/bin/sh
# The whole procedure (section 3.4, figure 3): makes the data, trains the four stages (with
# DISTIL=yes a fifth one, beyond the paper), evaluates every model and writes a report. Artefacts
# that are finished and up to date are not made again. Before that, it names everything that would
# stop it (rocketqa preflight), a line each. With THRESHOLDS=calibrated it leaves out what has
# nothing to learn from, such as stage 4 where DATA_DIR has no unlabelled queries.
# sh run_scripts/rocket.sh [ENV] [--plan]
# SEED=3 DEVICES=1 sh run_scripts/rocket.sh run_scripts/toy.env
#
# --plan  runs nothing. It prints every command, then the rows, steps, disk space and hours that
#         the run needs, and what would stop it.
#
# reads   DATA_DIR (made by DATA_PREP if the env file names such a command); INIT, INIT_CROSS
# writes  CHECKPOINT_DIR: dual_encoder_0, cross_encoder, dual_encoder_1, dual_encoder_2, with
#         DISTIL=yes dual_encoder_3;
#         OUTPUT_DIR: report.tsv, report.md, figures/ and what the stages write
#
# Cost on the toy data with two cores: 6 minutes; 72 MB of disk.
# Results on the toy data: in the heads of the stage scripts, and all together in README.md here.
set -eu
case "$*" in
    --plan) PLAN=yes && set -- ;;
    *" --plan") PLAN=yes && set -- "$1" ;;
esac
# shellcheck source=run_scripts/steps.sh
. "$(dirname "$0")/steps.sh"
load_env "$@"

ask_first rocket.sh
prepare_data rocket.sh
require_evaluation_data
require_unlabelled_queries
! without_unlabelled || say "$DATA_DIR/queries.unlabelled.tsv: not there, so stage 4 is left out"
sh run_scripts/stage1_dual.sh "$ENV"
[ "$BASELINES" = no ] || baselines
sh run_scripts/stage2_cross.sh "$ENV"
sh run_scripts/stage3_dual_denoised.sh "$ENV"
sh run_scripts/stage4_dual_augmented.sh "$ENV"
distilled=
if [ "$DISTIL" = yes ]; then
    sh run_scripts/stage5_distilled.sh "$ENV"
    distilled=dual_encoder_3
fi
for model in dual_encoder_0 dual_encoder_1 dual_encoder_2 $distilled cross_encoder; do
    is_left_out "$model" || evaluate "$model"
done
[ "$FUSE" = no ] || sh run_scripts/fuse.sh "$ENV"
sh run_scripts/reproduce_tables.sh "$ENV"
if [ "${PLAN-no}" = yes ]; then
    end_plan rocket.sh
else
    echo "The search page, from $OUTPUT_DIR/report.md:"
    awk '
        /^With a search page/ { is_next = 1 }
        is_next && /^```$/ { exit }
        is_next && is_inside { print }
        is_next && /^```sh$/ { is_inside = 1 }
    ' "$OUTPUT_DIR/report.md"
fi
