"""The one training loop that both models share: step, log, save, go on where it was.

Everything a step needs follows from its number: its batch, its learning rate, its dropout. So a training that was
killed goes on from its newest state to the same bytes.
"""
import math
import os
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import paddle
import paddle.distributed as dist
from paddle import nn

from rocketqa import devices
from rocketqa.artefacts import Job
from rocketqa.batches import Deal
from rocketqa.chance import number
from rocketqa.checkpoint import drop_states, load_state, save_model, save_state, set_weights
from rocketqa.formats import DataError
from rocketqa.optimizer import adam, learning_rate_at
from rocketqa.progress import bar

LOG = "train_log.tsv"
LOG_COLUMNS = ("step", "loss", "accuracy", "learning_rate", "examples_per_second")
NEUTRAL_FLAGS = ("save_every",)

StepLoss = Callable[[nn.Layer, np.ndarray], tuple[paddle.Tensor, paddle.Tensor]]  # (model, indices) -> loss, accuracy


class Start(NamedTuple):
    """What a training begins with."""

    model: nn.Layer
    weights: dict[str, np.ndarray]
    tokenizer_files: dict[str, bytes]


def run_training(verb: str, args: Namespace, prepare: Callable[[Namespace], tuple[Start, int, StepLoss]]) -> int:
    """Trains, writes the checkpoint and returns the exit status.

    `prepare` returns what to begin with, how many examples there are, and the loss of a step.
    """
    args.devices = int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))
    job = Job(verb, args, neutral=NEUTRAL_FLAGS, logs=(LOG,))
    status = job.settle(args.check)
    if status is not None:
        return status
    devices.join()
    start, examples, step_loss = prepare(args)
    deal = Deal(examples, args.batch_size, args.devices, args.epochs, args.max_steps, args.seed)
    if devices.rank() == 0:
        print(f"{job.output}: {deal.described()}", flush=True)
    with devices.working_on(job) as part:
        _train(start, deal, step_loss, args, part)
        if devices.rank() == 0:
            save_model(part, start.model, start.tokenizer_files)
            drop_states(part)
        job.facts = {"steps": deal.total_steps, "steps_per_epoch": deal.steps_per_epoch}
    return 0


def _train(start: Start, deal: Deal, step_loss: StepLoss, args: Namespace, part: Path) -> None:
    set_weights(start.model, start.weights, str(args.init))
    optimizer = adam(start.model, args.weight_decay, args.clip_norm)
    begin = load_state(part, start.model, optimizer)
    model = devices.parallel(start.model)
    model.train()
    main = devices.rank() == 0
    log = Log(part / LOG, begin) if main else None
    steps = bar(range(begin, deal.total_steps), main, initial=begin, total=deal.total_steps, unit="step",
                desc=args.output.name)
    for step in steps:
        paddle.seed(number(args.seed, "dropout", step, devices.rank()))
        rate = learning_rate_at(step, deal.total_steps, args.learning_rate, args.warmup, args.decay)
        optimizer.set_lr(rate)
        loss, accuracy = step_loss(model, deal.batch(step, devices.rank()))
        loss.backward()
        mean_loss, mean_accuracy = mean_over_devices(loss, accuracy)
        if not math.isfinite(mean_loss):
            raise DataError(f"{args.output}: expected a finite loss at step {step + 1}, got {mean_loss}")
        optimizer.step()
        optimizer.clear_grad()
        if main:
            log.write(step + 1, mean_loss, mean_accuracy, rate, deal.batch_size * deal.devices)
            steps.set_postfix(loss=f"{mean_loss:.3f}", accuracy=f"{mean_accuracy:.2f}", refresh=False)
            if (step + 1) % args.save_every == 0 and step + 1 < deal.total_steps:
                save_state(part, step + 1, start.model, optimizer)


def mean_over_devices(*values: paddle.Tensor) -> list[float]:
    """Returns the means of scalars over all devices."""
    stacked = paddle.stack([value.detach().reshape([]) for value in values])
    if devices.count() > 1:
        dist.all_reduce(stacked)
    return [value / devices.count() for value in stacked.tolist()]


class Log:
    """`train_log.tsv`: a line a step. Going on, it keeps the lines of the steps that count."""

    def __init__(self, path: Path, steps_done: int):
        lines = path.read_text(encoding="utf-8").splitlines()[:steps_done + 1] if steps_done else []
        self.file = path.open("w", encoding="utf-8", buffering=1)
        self.file.writelines(line + "\n" for line in lines or ["\t".join(LOG_COLUMNS)])
        self.before = time.perf_counter()

    def write(self, step: int, loss: float, accuracy: float, rate: float, examples: int) -> None:
        """Adds a step."""
        now = time.perf_counter()
        self.file.write(f"{step}\t{loss:.9g}\t{accuracy:.6g}\t{rate:.9g}\t{examples / (now - self.before):.6g}\n")
        self.before = now
