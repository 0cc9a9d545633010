"""One training from its settings to its checkpoint: a job that all processes of a launch share."""

from collections.abc import Callable, Sequence

from rocketqa.distributed import devices
from rocketqa.distributed.watchdog import Workspace
from rocketqa.encoder.precision import (
    FLOAT32,
    TF32,
    on_gpu,
    use_deterministic_kernels,
    use_precision,
)
from rocketqa.files.errors import DataError
from rocketqa.files.packages import import_package
from rocketqa.training.batches import DualBatches
from rocketqa.training.loop import Task, Training
from rocketqa.training.schedule import Schedule
from rocketqa.training.settings import LOG, DualEncoderSettings, TrainingSettings
from rocketqa.weights.checkpoint import save_model
from rocketqa.weights.training_states import choose_results

# What to do where a GPU computes in another precision than the one that was asked for.
CURES = {
    FLOAT32: "set NVIDIA_TF32_OVERRIDE=0 in the environment, or take tf32",
    TF32: "take a GPU of compute capability 8.0 or later, and unset NVIDIA_TF32_OVERRIDE",
    "float16": "take a GPU of compute capability 7.0 or later, or float32",
    "bfloat16": "take a GPU of compute capability 8.0 or later, or float16",
}


def run_training(
    verb: str,
    settings: TrainingSettings,
    prepare: Callable[[], Task],
    check: bool = False,
    constants: Sequence[str] = (),
) -> int:
    """Trains, writes the checkpoint, and returns the exit status.

    `prepare` reads the inputs; it is called only where there is something to do. Raises DataError
    for settings that do not go together, and wherever an input is not as it should be.
    """
    job = settings.job(verb, devices.launched(), constants)

    def train(workspace: Workspace) -> None:
        refuse_unless_supported(settings.precision)
        if settings.deterministic:
            use_deterministic_kernels()
        refuse_half_a_dev_measure(settings)
        if settings.visualdl:
            import_package("visualdl", "--visualdl", "the package visualdl")
        task = prepare()
        schedule = settings.schedule(len(task.batches), devices.count())
        summary = schedule.summary()
        refuse_positives_alone(task, schedule, settings)
        if devices.is_main():
            print(f"{settings.output}: {summary}; log: {workspace.part / LOG}", flush=True)
        steps = Training(task, schedule, settings, workspace).run()
        if task.held_out:
            task.held_out.finish(task.model, workspace)
        if devices.is_main():
            save_model(workspace.part, task.model, task.tokenizer_files)
            job.discarded = choose_results(workspace.part, settings.keep, settings.save_every)
        job.facts["steps"] = steps
        job.facts["steps_per_epoch"] = schedule.steps_per_epoch

    return job.run_in(devices.working_on, train, check)


def refuse_unless_supported(precision: str) -> None:
    """Sets the device to a precision. Raises DataError where it would compute in another one."""
    if not on_gpu():
        if precision != FLOAT32:
            raise DataError(
                f"--precision {precision}: expected a GPU, got a CPU, which trains in float32 alone"
            )
        return
    computed = use_precision(precision)
    if computed != precision:
        raise DataError(
            f"--precision {precision}: expected a GPU whose matrix products are in {precision}, "
            f"got {computed}: {CURES[precision]}"
        )


def refuse_half_a_dev_measure(settings: TrainingSettings) -> None:
    """Raises DataError where only one of the two flags for a measure on dev examples is given."""
    if bool(settings.evaluate_every) != bool(settings.dev_examples):
        raise DataError("--evaluate-every: expected it together with --dev-examples, got one alone")


def refuse_positives_alone(task: Task, schedule: Schedule, settings: TrainingSettings) -> None:
    """Raises DataError where a query has no candidate beside its positive: its loss would be 0."""
    batches = task.batches
    if not isinstance(settings, DualEncoderSettings) or not isinstance(batches, DualBatches):
        return
    cross_batch = settings.negatives == "cross-batch"
    queries = schedule.batch if cross_batch else schedule.batch_size
    if schedule.total_steps and queries * batches.fewest_passages < 2:
        raise DataError(
            "--batch-size: expected at least 2 candidates for each query, got its positive alone: "
            "take a larger batch, or examples with hard negatives"
        )
