"""Small models and a training whose steps follow from their numbers: for tests of checkpoints."""

import paddle
from paddle import nn

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import pack
from rocketqa.training.optimizer import adam, clip
from rocketqa.weights.checkpoint import set_weights
from rocketqa.weights.training_states import save_state

FILES = {
    "vocab.txt": b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nparis\nParis\n",
    "tokenizer_config.json": b'{"do_lower_case": false}',
}


def dual_encoder(config: ErnieConfig, seed: int = 1) -> DualEncoder:
    """Returns a dual encoder with drawn weights, the same ones for the same seed."""
    model = DualEncoder(config)
    set_weights(model, DualEncoder.from_encoder_weights(initial_weights(config, seed)), "test")
    return model


def cross_encoder(config: ErnieConfig, seed: int = 1) -> CrossEncoder:
    """Returns a cross encoder with drawn weights, the same ones for the same seed."""
    model = CrossEncoder(config)
    encoder = initial_weights(config, seed)
    set_weights(model, CrossEncoder.from_encoder_weights(encoder, config, seed), "test")
    return model


class Training:
    """A training whose every step follows from its number, as the training loop's do."""

    def __init__(self, config, random_rows, seed: int = 1):
        self.model = dual_encoder(config, seed)
        self.model.train()
        self.optimizer = adam(self.model, weight_decay=0.1)
        self.random_rows = random_rows

    def run(self, begin: int, end: int) -> None:
        for step in range(begin, end):
            paddle.seed(step)
            self.optimizer.set_lr(0.01 / (step + 1))
            queries = pack(self.random_rows(3, seed=step))
            passages = pack(self.random_rows(3, seed=100 + step))
            q_reps, p_reps = self.model(queries, passages)  # [3, H] each
            logits = paddle.matmul(q_reps, p_reps, transpose_y=True)  # [3, 3]
            nn.functional.cross_entropy(logits, paddle.arange(3)).backward()
            clip(self.model, 1.0)
            self.optimizer.step()
            self.optimizer.clear_grad()

    def save(self, part, step: int, keep: int = 1, every: int = 1, **extra: float) -> None:
        save_state(part, step, self.model, FILES, self.optimizer, extra, keep, every)
