"""ernie-tiny's exact architecture takes real training steps on CPU."""

from collections.abc import Callable

import numpy as np
import paddle
import pytest
from paddle import nn

from rocketqa.cross_batch_negatives import losses_and_hits
from rocketqa.cross_encoder import CrossEncoder
from rocketqa.cross_encoder import losses_and_hits as pair_losses_and_hits
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.text.tokenizer import load_text_encoder
from rocketqa.training.optimizer import adam, clip
from rocketqa.weights.checkpoint import set_weights


@pytest.fixture(scope="module")
def ernie_tiny(paddlenlp):
    """The architecture that PaddleNLP describes, and drawn weights."""
    from paddlenlp.transformers.ernie.configuration import ERNIE_PRETRAINED_INIT_CONFIGURATION

    settings = ERNIE_PRETRAINED_INIT_CONFIGURATION["ernie-tiny"]
    fields = {name: settings[name] for name in ErnieConfig._fields if name in settings}
    config = ErnieConfig(**fields)
    return config, initial_weights(config, seed=1)


def test_the_architecture_is_three_layers_of_1024_with_16_heads_and_50006_words(ernie_tiny):
    config, weights = ernie_tiny
    assert config.num_hidden_layers == 3
    assert config.hidden_size == 1024
    assert config.num_attention_heads == 16
    assert weights["embeddings.word_embeddings.weight"].shape == (50006, 1024)
    assert (config.hidden_act, config.max_position_embeddings) == ("relu", 600)
    small_model = Ernie(config._replace(vocab_size=5), with_pooler=True)
    assert small_model.state_dict().keys() == weights.keys()


def losses_of_steps(
    model: nn.Layer, compute: Callable[[], paddle.Tensor], count: int
) -> list[float]:
    """Takes training steps; returns the loss before each. `compute` gives the examples' losses."""
    optimizer = adam(model, 0.0)
    optimizer.set_lr(1e-5)
    values = []
    model.train()
    for step in range(count):
        paddle.seed(step)
        loss = compute().mean()
        loss.backward()
        clip(model, 1.0)
        optimizer.step()
        optimizer.clear_grad()
        values.append(float(loss))
    return values


def test_a_dual_encoder_takes_training_steps(ernie_tiny, random_rows):
    config, weights = ernie_tiny
    model = DualEncoder(config)
    set_weights(model, DualEncoder.from_encoder_weights(weights), "ernie-tiny")
    queries = pack(random_rows(4, seed=1, vocabulary=50006))
    passages = pack(random_rows(8, seed=2, longest=40, vocabulary=50006))
    before = model.passage_encoder.encoder.layers[0].linear1.weight.numpy()

    def compute() -> paddle.Tensor:
        q_reps, p_reps = model(queries, passages)
        losses, _ = losses_and_hits(q_reps, p_reps, cross_batch=True)
        return losses

    values = losses_of_steps(model, compute, 4)
    assert np.isfinite(values).all()
    assert min(values[1:]) < values[0]
    assert (model.passage_encoder.encoder.layers[0].linear1.weight.numpy() != before).any()


def test_a_cross_encoder_takes_training_steps(ernie_tiny, random_rows):
    config, weights = ernie_tiny
    model = CrossEncoder(config)
    set_weights(model, CrossEncoder.from_encoder_weights(weights, config, seed=1), "ernie-tiny")
    pairs = pack(random_rows(6, longest=40, vocabulary=50006))
    labels = paddle.to_tensor([1, 0, 0, 1, 0, 0])

    def compute() -> paddle.Tensor:
        losses, _ = pair_losses_and_hits(model(pairs), labels)
        return losses

    values = losses_of_steps(model, compute, 4)
    assert np.isfinite(values).all()
    assert min(values[1:]) < values[0]
    model.eval()
    probabilities = model.probability(pairs).numpy()
    assert probabilities.shape == (6,)
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_a_checkpoint_whose_word_list_would_run_something_is_refused(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "ErnieTinyTokenizer"}')
    ran = tmp_path / "ran"
    (tmp_path / "dict.wordseg.pickle").write_bytes(f"cos\nsystem\n(Vtouch {ran}\ntR.".encode())
    with pytest.raises(
        DataError, match="dict.wordseg.pickle: expected words only, got a call of os.system"
    ):
        load_text_encoder(tmp_path)
    assert not ran.exists()
