"""The training loop that both models share: step, log, save a state, measure, and go on after a
kill.

Everything a step needs follows from its number: its examples, its learning rate, its dropout. So a
training that was killed goes on from its newest state to the same bytes.

Letters: A devices, N chunks a device (`--accumulate`). Chunk n of device r is the one that device
r*N + n of A*N devices would have.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import paddle
from paddle import nn

from rocketqa.distributed import devices
from rocketqa.distributed.watchdog import Watchdog, Workspace
from rocketqa.encoder.precision import autocast
from rocketqa.files.errors import DataError
from rocketqa.jobs.ahead import made_ahead
from rocketqa.jobs.progress import bar
from rocketqa.jobs.seeds import number
from rocketqa.jobs.stopping import Stopped, is_requested, only_note_signals
from rocketqa.training.batches import Batches, token_counts
from rocketqa.training.held_out import Ending, HeldOut
from rocketqa.training.objective import Objective, Step
from rocketqa.training.optimizer import (
    adam,
    initial_loss_scale,
    learning_rate_at,
    norm_of,
    scale_gradients,
    square_sum_of_gradients,
)
from rocketqa.training.schedule import Schedule
from rocketqa.training.settings import LOG, TrainingSettings
from rocketqa.training.step_figures import fetch, sums_over_devices
from rocketqa.training.step_rows import RowsOfSteps, StepRows
from rocketqa.training.train_log import OF_HELD_OUT_PAIRS, Log, Meter
from rocketqa.weights.checkpoint import set_weights
from rocketqa.weights.training_states import (
    best_value,
    load_state,
    remove_damaged_states,
    save_best,
    save_state,
)


class Task(NamedTuple):
    """What is trained, and on what.

    weights: the initial ones, by the parameter names of the model. dev_measure: the model -> its
    MRR@10 on the dev examples, or None where there are none. held_out: pairs that end it, or None.
    """

    model: nn.Layer
    weights: dict[str, np.ndarray]
    tokenizer_files: dict[str, bytes]
    batches: Batches
    objective: Objective
    dev_measure: Callable[[Any], float] | None = None
    held_out: HeldOut | None = None


class Training:
    """One training on this device, from its newest state to its last step."""

    def __init__(
        self,
        task: Task,
        schedule: Schedule,
        settings: TrainingSettings,
        workspace: Workspace,
    ):
        self.task = task
        self.schedule = schedule
        self.settings = settings
        self.part: Path = workspace.part
        self.watchdog: Watchdog = workspace.watchdog
        self.rows = RowsOfSteps(task.batches, schedule, devices.rank())
        self.model = task.model
        set_weights(self.model, task.weights, str(settings.init))
        for layer in self.model.sublayers():
            if hasattr(layer, "recompute"):
                layer.recompute = settings.recompute
        self.optimizer = adam(self.model, settings.weight_decay)
        self.loss_scale = initial_loss_scale(settings.loss_scale, settings.precision)
        self.ending = Ending(task.held_out, schedule.total_steps, str(settings.output))
        # Whether devices may be too far apart for the next collective operation; equal on all.
        # Gloo (on CPUs) gives up after 30 seconds, NCCL (on GPUs) after half an hour.
        self.barrier_needed = True
        # Whether a signal has asked any device to stop; equal on all of them.
        self.stop_requested = False
        self.log: Log | None = None  # of device 0, while it trains

    def run(self) -> int:
        """Takes all steps that are left, and returns how many were taken in all.

        Raises Stopped where a signal has come, when the step has ended and a state is saved.
        """
        if devices.is_main():
            remove_damaged_states(self.part)
        self.watchdog.barrier()
        expected = self.loss_scale.state() | self.ending.state()
        done, state = load_state(self.part, self.model, self.optimizer, expected)
        if state:
            self.loss_scale.restore(state)
            self.ending.restore(state)
        self.model.train()
        meter = Meter()
        if devices.is_main():
            further = OF_HELD_OUT_PAIRS if self.task.held_out else ()
            self.log = Log(self.part / LOG, done, self.settings.visualdl, further)
        total = self.schedule.total_steps
        name = self.settings.output.name
        main = devices.is_main()
        only_note_signals()
        steps = range(done, total)
        with (
            bar(main=main, initial=done, total=total, unit="step", desc=name) as progress,
            made_ahead(self.rows.prepared, steps) as rows_of_steps,
        ):
            for step in steps:
                if self.ending.has_come(step):
                    break
                self.watchdog.at_step(step + 1)
                row = self._step(step, next(rows_of_steps), meter)
                with meter.paused():
                    self._measure_on_dev(step + 1, row)
                    if self.ending.is_due(step + 1):
                        self.barrier_needed = True
                        row |= self.ending.measure(step + 1, self.model, self.watchdog)
                    if self.log:
                        self.log.write(row)
                    if (step + 1) % self.settings.save_every == 0 or self.ending.has_come(step + 1):
                        self._save_state(step + 1)
                    self._stop_where_requested(step + 1)
                progress.set_postfix(
                    loss=f"{row['loss']:.3f}", accuracy=f"{row['accuracy']:.2f}", refresh=False
                )
                progress.update()
                done = step + 1
        if self.log:
            self.log.close()
        return done

    def _step(self, step: int, rows: StepRows, meter: Meter) -> dict[str, float]:
        """Takes one step and returns its line of the log."""
        chunks = [chunk.on_device() for chunk in rows.chunks]
        losses, hits = self.task.objective.forward_backward(
            self.model, chunks, self._objective_step(step)
        )
        self._barrier()
        counts = [token_counts(chunk) for chunk in chunks]
        own_tokens = sum(own for own, _ in counts)
        own_padded = sum(with_padding for _, with_padding in counts)
        sums = sums_over_devices(losses, hits, own_tokens, own_padded, is_requested())
        devices.average_gradients(self.model)
        figures = fetch(sums, square_sum_of_gradients(self.model))
        self.barrier_needed = paddle.device.get_device().startswith("cpu")
        self.stop_requested = figures.stop_requests > 0
        self._refuse_bad_loss(step, figures.loss, losses, rows.indices)
        rate = self._learning_rate(step)
        norm = norm_of(figures.square_sum, self.loss_scale.scale)
        self._update(step, rate, norm)
        seconds = meter.lap()
        return {
            "step": step + 1,
            "loss": figures.loss,
            "accuracy": figures.accuracy,
            "learning_rate": rate,
            "gradient_norm": norm,
            "queries_per_second": self.schedule.batch / seconds,
            "tokens_per_second": figures.tokens * self.schedule.devices / seconds,
            "padding_left_out": 1 - figures.tokens / figures.tokens_with_padding,
            "loss_scale": self.loss_scale.scale,
        }

    def _objective_step(self, step: int) -> Step:
        return Step(
            chunk_context=lambda n: self._chunk_context(step, self.rows.places[n]),
            loss_scale=self.loss_scale.scale,
            barrier=self._barrier,
        )

    @contextmanager
    def _chunk_context(self, step: int, place: int) -> Iterator[None]:
        """Gives a chunk its dropout and its precision, the same each time."""
        paddle.seed(number(self.settings.seed, "dropout", step, place))
        with autocast(self.settings.precision):
            yield

    def _learning_rate(self, step: int) -> float:
        settings = self.settings
        return learning_rate_at(
            step,
            self.schedule.total_steps,
            settings.learning_rate,
            settings.warmup,
            settings.decay,
        )

    def _update(self, step: int, rate: float, norm: float) -> None:
        """Moves the weights by gradients of this norm, unless the loss scale was too large.

        Raises DataError where the gradients are not finite and no loss scale is to blame.
        """
        if math.isfinite(norm):
            scale_gradients(self.model, norm, self.settings.clip_norm, self.loss_scale.scale)
            self.optimizer.set_lr(rate)
            self.optimizer.step()
        elif not self.loss_scale.dynamic or self.loss_scale.scale == 1.0:
            raise DataError(
                f"{self.settings.output}: expected finite gradients at step {step + 1}, "
                f"got a norm of {norm}"
            )
        self.optimizer.clear_grad()
        self.loss_scale.update(math.isfinite(norm))

    def _refuse_bad_loss(
        self, step: int, loss: float, losses: paddle.Tensor, indices: np.ndarray
    ) -> None:
        """Raises DataError where the loss is not finite, naming the queries where they are this
        device's.
        """
        if math.isfinite(loss):
            return
        query_ids = np.array(self.task.batches.query_ids(indices))
        bad_ids = query_ids[~np.isfinite(losses.numpy())]
        source = "from another device"
        if len(bad_ids):
            source = f"from queries {', '.join(bad_ids[:5])}"
        raise DataError(
            f"{self.settings.output}: expected a finite loss at step {step + 1}, got {loss} "
            f"on device {devices.rank()} {source}"
        )

    def _measure_on_dev(self, step: int, row: dict[str, float]) -> None:
        """Measures where it is time to, on every device so that none waits for another, and keeps
        the best model.
        """
        every = self.settings.evaluate_every
        measure = self.task.dev_measure
        if not every or not measure:
            return
        if step % every and step != self.schedule.total_steps:
            return
        self.barrier_needed = True
        self.model.eval()
        with self.watchdog.busy_with("measuring on dev"), paddle.no_grad():
            mrr = measure(self.model)
        self.model.train()
        row["dev_MRR@10"] = mrr
        if devices.is_main() and mrr > best_value(self.part):
            with self.watchdog.busy_with("saving"):
                save_best(self.part, step, mrr, self.model, self.task.tokenizer_files)

    def _save_state(self, step: int) -> None:
        """Saves a state, on the first device; the others will wait for it."""
        self.barrier_needed = True
        if not self.log:
            return
        with self.watchdog.busy_with("saving"):
            self.log.sync()
            save_state(
                self.part,
                step,
                self.model,
                self.task.tokenizer_files,
                self.optimizer,
                self.loss_scale.state() | self.ending.state(),
                self.settings.keep,
                self.settings.save_every,
            )

    def _stop_where_requested(self, step: int) -> None:
        """Saves a state and raises Stopped where a signal has come, unless this is the last step:
        then the training ends.
        """
        if not self.stop_requested or self.ending.has_come(step):
            return
        if step % self.settings.save_every:
            self._save_state(step)
        self.watchdog.barrier()  # the others wait for the state, too
        raise Stopped(when=f"after step {step:,}")

    def _barrier(self) -> None:
        """Waits for the other devices before a collective operation, where one is needed."""
        if self.barrier_needed:
            self.watchdog.barrier()
