"""The one training loop that both models share: step, log, save, measure, go on where it was.

Everything a step needs follows from its number: its batch, its learning rate, its dropout. So a training that was
killed goes on from its newest state to the same bytes.

Letters: A devices, N chunks a device (`--accumulate`); chunk n of device r is what device r*N + n of A*N would have.
"""

import math
import os
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import paddle
import paddle.distributed as dist
from paddle import nn

from rocketqa.distributed import devices
from rocketqa.distributed.watchdog import Watchdog
from rocketqa.files.errors import DataError
from rocketqa.jobs.job import Job
from rocketqa.jobs.progress import bar
from rocketqa.jobs.seeds import number
from rocketqa.training.batches import tokens_of
from rocketqa.training.optimizer import LossScale, adam, clip, learning_rate_at
from rocketqa.training.schedule import Schedule
from rocketqa.training.train_log import Log, Meter
from rocketqa.weights.checkpoint import (
    LOG,
    best_value,
    load_state,
    save_best,
    save_model,
    save_state,
    set_weights,
    tidy,
)

NOT_IDENTITY = ("save_every", "visualdl")
FLOAT32 = "float32"
SLOW = 3.0  # seconds a step from which devices wait for each other before they communicate

Chunks = Sequence[tuple]


class Start(NamedTuple):
    """What a training begins with."""

    model: nn.Layer
    weights: dict[str, np.ndarray]
    tokenizer_files: dict[str, bytes]


class Task(NamedTuple):
    """What is learnt, and from what.

    rows: indices of examples -> a chunk. backward: (model, chunks, chunk_context, loss_scale, barrier) -> losses and hits, having
    left gradients and called `barrier` before it communicates. measure: the model -> its dev MRR@10, or None.
    """

    start: Start
    examples: int
    query_ids: Callable[[np.ndarray], list[str]]
    rows: Callable[[np.ndarray], tuple]
    backward: Callable[..., tuple[paddle.Tensor, paddle.Tensor]]
    measure: Callable[[nn.Layer], float] | None


def run_training(verb: str, args: Namespace, prepare: Callable[[Namespace], Task]) -> int:
    """Trains, writes the checkpoint and returns the exit status."""
    args.devices = int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))
    job = Job(verb, args, not_identity=NOT_IDENTITY, logs=(LOG,), keep_unfinished="state-*")
    status = job.status_if_done(args.check)
    if status is not None:
        return status
    refuse_unless_supported(args.precision)
    if bool(args.evaluate_every) != bool(args.dev_examples):
        raise DataError("--evaluate-every: expected it together with --dev-examples, got one alone")
    devices.join()
    task = prepare(args)
    schedule = Schedule(
        task.examples,
        args.batch_size,
        args.devices,
        args.accumulate,
        args.epochs,
        args.min_steps,
        args.max_steps,
        args.seed,
    )
    if devices.rank() == 0:
        print(f"{job.output}: {schedule.described()}", flush=True)
    with devices.working_on(job) as (part, watchdog):
        Training(task, schedule, args, part, watchdog).run()
        if devices.rank() == 0:
            save_model(part, task.start.model, task.start.tokenizer_files)
            tidy(part, args.keep)
        job.facts = {"steps": schedule.total_steps, "steps_per_epoch": schedule.steps_per_epoch}
    return 0


def refuse_unless_supported(precision: str) -> None:
    """Raises DataError where the device would quietly compute in float32 instead."""
    if precision != FLOAT32 and paddle.device.get_device().startswith("cpu"):
        raise DataError(
            f"--precision {precision}: expected a GPU, got a CPU, where Paddle's autocast does nothing"
        )
    if precision == "bfloat16" and not paddle.amp.is_bfloat16_supported():
        raise DataError(
            "--precision bfloat16: expected a GPU that computes in it, got an older one: take float16"
        )


class Training:
    """One training, from its newest state to its last step."""

    def __init__(
        self, task: Task, schedule: Schedule, args: Namespace, part: Path, watchdog: Watchdog
    ):
        self.task, self.schedule, self.args, self.part, self.watchdog = (
            task,
            schedule,
            args,
            part,
            watchdog,
        )
        self.model, self.main = task.start.model, devices.rank() == 0
        set_weights(self.model, task.start.weights, str(args.init))
        for layer in self.model.sublayers():
            if hasattr(layer, "recompute"):
                layer.recompute = args.recompute
        self.optimizer = adam(self.model, args.weight_decay)
        self.seconds, self.barrier_needed = (
            0.0,
            True,
        )  # of the last step; whether devices may be far apart, the same on all
        scale = args.loss_scale or (LossScale.INITIAL if args.precision == "float16" else None)
        self.loss_scale = LossScale(scale or 1.0, dynamic=scale is not None)

    def run(self) -> None:
        """Takes all steps that are left."""
        begin, state = load_state(self.part, self.model, self.optimizer)
        if state:
            self.loss_scale.restore(state)
        self.model.train()
        meter = Meter()
        log = Log(self.part / LOG, begin, self.args.visualdl) if self.main else None
        total = self.schedule.total_steps
        for step in (
            steps := bar(
                range(begin, total),
                self.main,
                initial=begin,
                total=total,
                unit="step",
                desc=self.args.output.name,
            )
        ):
            self.watchdog.at_step(step + 1)
            row = self._step(step, meter)
            steps.set_postfix(
                loss=f"{row['loss']:.3f}", accuracy=f"{row['accuracy']:.2f}", refresh=False
            )
            with meter.paused():
                self._measure(step + 1, row)
                if log:
                    log.write(row)
                if (step + 1) % self.args.save_every == 0:
                    self._save(step + 1)
        if log:
            log.close()

    def _step(self, step: int, meter: Meter) -> dict[str, float]:
        """Takes one step and returns its line of the log."""
        first = devices.rank() * self.schedule.chunks
        places = range(first, first + self.schedule.chunks)
        dealt = [self.schedule.chunk(step, place) for place in places]
        chunks = [self.task.rows(indices) for indices in dealt]
        losses, hits = self.task.backward(
            self.model,
            chunks,
            lambda n: self._within(step, places[n]),
            self.loss_scale.scale,
            barrier=self._barrier,
        )
        self._barrier()
        tokens, padded = np.sum([tokens_of(chunk) for chunk in chunks], axis=0)
        loss, accuracy, tokens, padded, seconds_before = mean_over_devices(
            losses.mean(), hits.mean(), tokens, padded, self.seconds
        )
        self.barrier_needed = seconds_before > SLOW
        self._refuse_bad_loss(step, loss, losses, dealt)
        devices.average_gradients(self.model)
        args = self.args
        rate = learning_rate_at(
            step, self.schedule.total_steps, args.learning_rate, args.warmup, args.decay
        )
        norm = self._update(step, rate)
        seconds = self.seconds = meter.lap()
        return {
            "step": step + 1,
            "loss": loss,
            "accuracy": accuracy,
            "learning_rate": rate,
            "gradient_norm": norm,
            "queries_per_second": self.schedule.batch / seconds,
            "tokens_per_second": tokens * self.schedule.devices / seconds,
            "padding_left_out": 1 - tokens / padded,
            "loss_scale": self.loss_scale.scale,
        }

    @contextmanager
    def _within(self, step: int, place: int) -> Iterator[None]:
        """Gives a chunk its dropout and its precision, twice the same."""
        paddle.seed(number(self.args.seed, "dropout", step, place))
        precision = self.args.precision
        with nullcontext() if precision == FLOAT32 else paddle.amp.auto_cast(dtype=precision):
            yield

    def _update(self, step: int, rate: float) -> float:
        """Moves the weights, unless the loss scale was too large, and returns the norm of the gradients."""
        norm = clip(self.model, self.args.clip_norm, self.loss_scale.scale)
        if math.isfinite(norm):
            self.optimizer.set_lr(rate)
            self.optimizer.step()
        elif not self.loss_scale.dynamic or self.loss_scale.scale == 1.0:
            raise DataError(
                f"{self.args.output}: expected finite gradients at step {step + 1}, got a norm of {norm}"
            )
        self.optimizer.clear_grad()
        self.loss_scale.update(math.isfinite(norm))
        return norm

    def _refuse_bad_loss(
        self, step: int, loss: float, losses: paddle.Tensor, dealt: list[np.ndarray]
    ) -> None:
        """Raises DataError where the loss is not finite, naming the queries where it is this device's."""
        if math.isfinite(loss):
            return
        query_ids = np.array(self.task.query_ids(np.concatenate(dealt)))[
            ~np.isfinite(losses.numpy())
        ]
        whose = (
            f"from queries {', '.join(query_ids[:5])}" if len(query_ids) else "from another device"
        )
        raise DataError(
            f"{self.args.output}: expected a finite loss at step {step + 1}, got {loss} on device "
            f"{devices.rank()} {whose}"
        )

    def _measure(self, step: int, row: dict[str, float]) -> None:
        """Measures on dev where it is time, on every device (so none waits for another), and keeps the best model."""
        due = self.args.evaluate_every and (
            step % self.args.evaluate_every == 0 or step == self.schedule.total_steps
        )
        if not (due and self.task.measure):
            return
        self.barrier_needed = True
        self.model.eval()
        with self.watchdog.busy_with("measuring on dev"), paddle.no_grad():
            row["dev_MRR@10"] = self.task.measure(self.model)
        self.model.train()
        if self.main and row["dev_MRR@10"] > best_value(self.part):
            with self.watchdog.busy_with("saving"):
                save_best(
                    self.part, step, row["dev_MRR@10"], self.model, self.task.start.tokenizer_files
                )

    def _save(self, step: int) -> None:
        """Saves a state, from the first device; the others will wait for it."""
        self.barrier_needed = True
        if self.main and (step < self.schedule.total_steps or self.args.keep):
            with self.watchdog.busy_with("saving"):
                save_state(
                    self.part,
                    step,
                    self.model,
                    self.task.start.tokenizer_files,
                    self.optimizer,
                    self.loss_scale.state(),
                    max(1, self.args.keep),
                )

    def _barrier(self) -> None:
        """Waits for the other devices before a collective, where they may be further apart than gloo has patience."""
        if self.barrier_needed:
            self.watchdog.barrier()


def mean_over_devices(*values) -> list[float]:
    """Returns the means of scalars over all devices."""
    scalars = [
        value if isinstance(value, paddle.Tensor) else paddle.to_tensor(float(value))
        for value in values
    ]
    stacked = paddle.stack([scalar.detach().astype("float32").reshape([]) for scalar in scalars])
    if devices.count() > 1:
        dist.all_reduce(stacked)
    return [value / devices.count() for value in stacked.tolist()]
