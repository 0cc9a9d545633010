"""The plan says what a step takes, and what batch fits, for any INIT whose config can be read."""

from script_runs import ROOT, variable_values

from rocketqa.encoder.config import ErnieConfig
from rocketqa.training.plan_memory import (
    Numbers,
    lines_of_training,
    memory_of_cross_encoder,
    memory_of_dual_encoder,
)
from rocketqa.training.step_memory import FREE, StepMemory, parameters_of

CONFIG = ErnieConfig()
GIB = 2**30


def variables(**changed: str) -> dict[str, str]:
    """Returns the variables of MS MARCO's flight, some of them changed."""
    return variable_values(ROOT / "run_scripts/marco.env") | changed


def dual(batch: int = 512, devices: int = 8, chunks: int = 1, **changed: str) -> StepMemory:
    return memory_of_dual_encoder(variables(**changed), CONFIG, Numbers(batch, devices, chunks))


def test_the_papers_batch_fits_the_papers_devices():
    assert dual().peak < (1 - FREE) * 32 * GIB
    large = CONFIG._replace(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
    )
    cross = memory_of_cross_encoder(variables(), large, Numbers(64, 4, 1))
    assert cross.peak < (1 - FREE) * 32 * GIB
    assert dual(RECOMPUTE="no").peak > 32 * GIB  # why the paper recomputes activations


def test_the_logits_are_those_of_all_devices_and_chunks():
    assert dual().logits == 8 * 512 * (8 * 512 * 2)
    assert dual(NEGATIVES="in-batch").logits == 8 * 512 * (512 * 2)
    few_tokens = {"QUERY_LENGTH": "3", "PASSAGE_LENGTH": "3"}
    assert dual(chunks=64, **few_tokens).logits == 8 * (64 * 512) * (64 * 8 * 512 * 2)


def test_switches_that_cost_memory_are_seen():
    assert dual(PRECISION="float32").activations > dual().activations
    assert dual(PRECISION="tf32") == dual(PRECISION="float32")
    assert dual(PRECISION="bfloat16") == dual(PRECISION="float16")
    assert dual(PASSAGE_LENGTH="256").activations > 1.8 * dual().activations
    full_cross = memory_of_cross_encoder(variables(FGM="0"), CONFIG, Numbers(8, 4, 1))
    with_fgm = memory_of_cross_encoder(variables(), CONFIG, Numbers(8, 4, 1))
    words = 4 * CONFIG.vocab_size * CONFIG.hidden_size
    assert with_fgm.peak - full_cross.peak == 2 * words


def test_the_lines_have_the_parts_and_the_largest_batches():
    def memory_with(config: ErnieConfig, numbers: Numbers) -> StepMemory:
        return StepMemory(6 * GIB, numbers.batch_size * GIB / 2, 0)

    lines = list(lines_of_training("a model", "INIT", CONFIG, Numbers(7, 1, 1), memory_with))
    assert lines == [
        "a model: 9.5 GiB = 6.0 for weights, gradients and moments + 3.5 for activations + 0.0 "
        "for logits",
        "a model: largest batch on a device of 16 GiB: 8, 32 GiB: 40, 40 GiB: 56, 80 GiB: 120",
    ]


def test_a_device_may_be_too_small_for_the_state_alone():
    def memory_with(config: ErnieConfig, numbers: Numbers) -> StepMemory:
        return StepMemory(30 * GIB, numbers.batch_size * GIB, 0)

    lines = list(lines_of_training("a model", "INIT", CONFIG, Numbers(1, 1, 1), memory_with))
    assert lines[1].endswith("16 GiB: none, 32 GiB: none, 40 GiB: 4, 80 GiB: 32")


def test_an_unknown_architecture_is_said():
    lines = list(lines_of_training("a model", "INIT", None, Numbers(1, 1, 1), None))
    assert lines == [
        "a model: unknown, because INIT is neither a folder with a config.json nor a name that "
        "PaddleNLP lists on this machine"
    ]


def test_both_towers_of_a_dual_encoder_are_trained():
    assert dual().state == 2 * 16 * parameters_of(CONFIG)
