"""Pairs are judged by softmax over two classes; FGM is what the released code has; chunks are as
devices.
"""

import numpy as np
import paddle
import pytest
from cross_batch_worker import step_of

from rocketqa.cross_encoder import (
    ClassificationObjective,
    CrossChunk,
    CrossEncoder,
    losses_and_hits,
    perturbed,
)
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import pack

LABELS = [1, 0, 0, 1]


@pytest.fixture
def model(tiny_config):
    def make(dropout: float = 0.0) -> CrossEncoder:
        config = tiny_config._replace(
            num_hidden_layers=1, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
        )
        encoder = CrossEncoder(config)
        weights = CrossEncoder.from_encoder_weights(initial_weights(config, 1), config, 1)
        for name, parameter in encoder.named_parameters():
            parameter.set_value(weights[name] * 5)
        encoder.train()
        return encoder

    return make


@pytest.fixture
def pairs(random_rows):
    return pack(random_rows(4, seed=3))


def gradients(encoder) -> dict[str, np.ndarray]:
    return {name: parameter.grad.numpy() for name, parameter in encoder.named_parameters()}


def test_losses_and_hits_worked_out_by_hand():
    losses, hits = losses_and_hits(
        paddle.to_tensor([[0.0, 0.0], [1.0, 3.0], [1.0, 3.0]]), paddle.to_tensor([1, 1, 0])
    )
    np.testing.assert_allclose(
        losses.numpy(), [np.log(2), np.log(1 + np.exp(-2)), np.log(1 + np.exp(2))], rtol=1e-6
    )
    assert hits.tolist() == [0.0, 1.0, 0.0]


def test_the_perturbation_is_epsilon_along_the_clean_gradient_of_the_whole_matrix(model, pairs):
    """The gradient by finite differences of the loss without dropout, the shift by the released
    formula.
    """
    encoder, labels = model(dropout=0.5), paddle.to_tensor(LABELS)
    words = encoder.ernie.embeddings.word_embeddings.weight
    before = words.numpy()

    def clean_loss(shift):
        encoder.eval()
        words.set_value((before + shift).astype(np.float32))
        loss = float(losses_and_hits(encoder(pairs), labels)[0].mean())
        words.set_value(before)
        encoder.train()
        return loss

    with perturbed(encoder, CrossChunk(pairs, labels), 0.01):
        assert encoder.training
        shift = words.numpy() - before
    used = sorted(set(pairs.token_ids.tolist()))
    unused = sorted(set(range(60)) - set(used))
    assert np.sqrt((shift.astype(np.float64) ** 2).sum()) == pytest.approx(0.01, rel=1e-3)
    assert not shift[unused].any()
    drawing = np.random.default_rng(0)
    rises = []
    for _ in range(5):
        direction = np.zeros_like(before)
        direction[used] = drawing.normal(size=(len(used), before.shape[1]))
        direction *= 0.02 / np.linalg.norm(direction)
        rises.append(
            (
                (clean_loss(direction) - clean_loss(-direction)) / 0.04,
                (direction / 0.02 * shift / 0.01).sum(),
            )
        )
    slopes, cosines = np.array(
        rises
    ).T  # the slope along a direction is the gradient's norm times its cosine
    norm = (slopes @ cosines) / (cosines @ cosines)
    np.testing.assert_allclose(slopes, norm * cosines, atol=0.02 * norm)
    assert norm > 0


def test_the_word_embeddings_come_back_to_the_same_bytes(model, pairs):
    encoder = model()
    words = encoder.ernie.embeddings.word_embeddings.weight
    before = words.numpy().tobytes()
    with perturbed(encoder, CrossChunk(pairs, paddle.to_tensor(LABELS)), 0.01):
        assert words.numpy().tobytes() != before
    assert words.numpy().tobytes() == before


def test_only_the_perturbed_pass_is_learnt(model, pairs):
    encoder, labels = model(), paddle.to_tensor(LABELS)
    objective = ClassificationObjective(fgm_epsilon=0.01)
    losses, _ = objective.forward_backward(encoder, [CrossChunk(pairs, labels)], step_of([0]))
    found = gradients(encoder)
    by_hand = model()
    words = by_hand.ernie.embeddings.word_embeddings.weight
    clean = losses_and_hits(by_hand(pairs), labels)[0].mean()
    clean.backward()
    gradient = words.grad.clone()
    by_hand.clear_gradients()
    words.set_value(words + 0.01 * gradient / (gradient.square().sum() + 1e-8).sqrt())
    expected_losses, _ = losses_and_hits(by_hand(pairs), labels)
    expected_losses.mean().backward()
    assert float(losses.mean()) > float(clean)
    np.testing.assert_allclose(losses.numpy(), expected_losses.numpy(), rtol=1e-6)
    for name, value in gradients(by_hand).items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("epsilon", [0.0, 0.01])
def test_chunks_have_the_mean_gradient_of_as_many_devices(model, random_rows, epsilon):
    labels = paddle.to_tensor(LABELS)
    chunks = [CrossChunk(pack(random_rows(4, seed=seed)), labels) for seed in (3, 4)]
    objective = ClassificationObjective(epsilon)
    together = model(dropout=0.2)
    losses, _ = objective.forward_backward(together, chunks, step_of([0, 1]))
    alone = []
    for n in (0, 1):
        encoder = model(dropout=0.2)
        own, _ = objective.forward_backward(encoder, [chunks[n]], step_of([n]))
        np.testing.assert_allclose(losses[4 * n : 4 * n + 4].numpy(), own.numpy(), rtol=1e-6)
        alone.append(gradients(encoder))
    for name, value in gradients(together).items():
        np.testing.assert_allclose(
            value, (alone[0][name] + alone[1][name]) / 2, rtol=1e-4, atol=1e-7, err_msg=name
        )
