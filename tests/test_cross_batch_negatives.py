"""Any number of processes and chunks give the loss and the gradients of one process on the joint
batch.
"""

from pathlib import Path

import numpy as np
import paddle
import pytest
from cross_batch_worker import (
    CHUNKS,
    CONFIG,
    COSINE,
    WEIGHT,
    B,
    P,
    chunk,
    chunk_with_empty_places,
    gradients,
    model,
    seeded,
    step_of,
)
from joint_batch import (
    joint_distilled_loss_and_gradients,
    joint_loss_and_gradients,
    largest_error,
    reps_of,
    slow_divergence_and_gradients,
    slow_loss_and_gradients,
)
from launching import launch

from rocketqa.cross_batch_negatives import (
    NegativesObjective,
    losses_and_hits,
    positive_places,
)
from rocketqa.training.known_positives import KnownPositives


@pytest.fixture(scope="module", params=[2, 4])
def launched(request, tmp_path_factory):
    """What A processes have computed, all in one launch."""
    devices, folder = request.param, tmp_path_factory.mktemp("launched")
    reps = reps_of(devices)
    for device in range(devices):
        np.savez(
            folder / f"{device}.npz",
            q=reps.q[device],
            p=reps.p[device],
            ids=reps.ids[device],
            known=reps.known[device],
            teacher=reps.teacher[device],
        )
    launch(Path(__file__).with_name("cross_batch_worker.py"), folder, devices)
    return reps, [np.load(folder / f"out-{device}.npz") for device in range(devices)]


def assert_reps_as_expected(reps, out, name, expected):
    loss, q_gradient, p_gradient = expected
    devices = len(out)
    assert [int(part["world"]) for part in out] == [devices] * devices
    np.testing.assert_allclose(np.mean([part[f"{name}:loss"] for part in out]), loss, rtol=1e-10)
    # Training divides by A: here each device's own loss is the mean of its B queries.
    np.testing.assert_allclose(
        [part[f"{name}:q"] / devices for part in out], q_gradient, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(
        [part[f"{name}:p"] / devices for part in out], p_gradient, rtol=1e-10, atol=1e-12
    )


def test_passages_of_other_devices_are_negatives_and_gradients_are_those_of_the_joint_batch(
    launched,
):
    reps, out = launched
    assert_reps_as_expected(reps, out, "cross-batch", slow_loss_and_gradients(reps.q, reps.p))


def test_a_teacher_s_distribution_is_learnt_beside_the_negatives_of_all_devices(launched):
    reps, out = launched
    own = np.zeros([len(out), B, len(out) * B * P], bool)  # hard negatives of the query itself
    for device in range(len(out)):
        for i in range(B):
            own[device, i, device * B * P + i + B : (device + 1) * B * P : B] = True
    negatives = slow_loss_and_gradients(reps.q, reps.p, own)
    divergence = slow_divergence_and_gradients(reps.q, reps.p, reps.teacher)
    assert not np.isfinite(reps.teacher).all()
    expected = []
    for first, second in zip(negatives, divergence):
        expected.append((1 - WEIGHT) * first + WEIGHT * second)
    assert_reps_as_expected(reps, out, "distilled", expected)


def test_known_positives_and_copies_of_the_positive_are_no_negatives_wherever_they_are(launched):
    reps, out = launched
    everywhere = reps.ids.reshape(-1)
    left_out = (everywhere == reps.known[..., :1]) | (
        everywhere == reps.known[..., 1:]
    )  # [A, B, A*B*P]
    for device in range(len(out)):
        for i in range(B):
            left_out[device, i, device * B * P + i] = False
    from_others = left_out.copy()
    for device in range(len(out)):
        from_others[device, :, device * B * P : (device + 1) * B * P] = False
    assert from_others.any()
    assert_reps_as_expected(reps, out, "masked", slow_loss_and_gradients(reps.q, reps.p, left_out))


def test_in_batch_negatives_see_no_other_device(launched):
    reps, out = launched
    for device, part in enumerate(out):
        alone, _, _ = slow_loss_and_gradients(
            reps.q[device : device + 1], reps.p[device : device + 1]
        )
        np.testing.assert_allclose(part["in-batch:loss"].mean(), alone, rtol=1e-12)


@pytest.mark.parametrize("name, config", [("model", CONFIG), ("cosine", COSINE)])
@pytest.mark.parametrize("chunks", [1, CHUNKS])
def test_whole_models_and_chunks_have_the_loss_and_gradients_of_the_joint_batch_with_dropout(
    launched, name, config, chunks
):
    _, out = launched
    name = name if chunks == 1 else f"{name}, chunks"
    loss, expected = joint_loss_and_gradients(len(out) * chunks, config)
    np.testing.assert_allclose(np.mean([part[f"{name}:loss"] for part in out]), loss, rtol=1e-6)
    assert largest_error(out, name, expected) < 2e-6


@pytest.mark.parametrize("name, chunks", [("empty places", 1), ("empty places, chunks", CHUNKS)])
def test_rows_with_fewer_negatives_have_the_loss_of_the_passages_that_are_there(
    launched, name, chunks
):
    _, out = launched
    encoder, all_q_reps, all_p_reps, labels = model(), [], [], []
    passages = 0
    for place in range(len(out) * chunks):
        with seeded(place):
            own = chunk_with_empty_places(place)
            q_reps, p_reps = encoder(own.queries, own.passages)
        assert len(p_reps) < B * P
        labels += range(passages, passages + B)
        passages += len(p_reps)
        all_q_reps.append(q_reps)
        all_p_reps.append(p_reps)
    logits = paddle.concat(all_q_reps) @ paddle.concat(all_p_reps).T
    loss = paddle.nn.functional.cross_entropy(logits, paddle.to_tensor(labels))
    loss.backward()
    found = np.mean([part[f"{name}:loss"] for part in out])
    np.testing.assert_allclose(found, float(loss), rtol=1e-6)
    assert largest_error(out, name, gradients(encoder)) < 1e-6


@pytest.mark.parametrize("name, chunks", [("distilled model", 1), ("distilled model, chunks", 2)])
def test_distilled_models_and_chunks_have_the_loss_and_gradients_of_the_joint_batch(
    launched, name, chunks
):
    _, out = launched
    loss, expected = joint_distilled_loss_and_gradients(len(out) * chunks)
    found = np.mean([part[f"{name}:loss"] for part in out])
    np.testing.assert_allclose(found, loss, rtol=1e-6)
    assert largest_error(out, name, expected) < 1e-6


@pytest.mark.parametrize(
    "idiom",
    [
        "no gradient through the gather",
        "own slice times devices",
        "full loss on each device",
        "in-batch only",
    ],
)
def test_what_is_known_to_be_wrong_would_be_noticed(launched, idiom):
    _, out = launched
    _, expected = joint_loss_and_gradients(len(out))
    assert largest_error(out, idiom, expected) > 0.05


def test_unequal_shapes_are_refused_on_every_device_before_the_collective_runs(launched):
    reps, out = launched
    shapes = [[2 + device, 5] for device in range(len(out))]
    assert {str(part["refusal"]) for part in out} == {
        f"p_reps: expected the same shape on every device, got {shapes}"
    }
    assert_reps_as_expected(reps, out, "after the refusal", slow_loss_and_gradients(reps.q, reps.p))


def test_shapes_are_compared_once_because_it_waits_for_the_devices(launched):
    _, out = launched
    for part in out:
        assert part["reads of gathers"].tolist() == [len(out), 0]


def learnt(places: list[int], cross_batch: bool = True, scale: float = 1.0):
    """Returns the losses and gradients of one device with these chunks."""
    encoder = model()
    objective = NegativesObjective(cross_batch)
    chunks = [chunk(place) for place in places]
    losses, _ = objective.forward_backward(encoder, chunks, step_of(places, scale))
    return losses.numpy(), gradients(encoder)


@pytest.mark.parametrize("chunks", [1, 2, 4])
def test_one_device_takes_chunks_as_so_many_devices_would(chunks):
    losses, found = learnt(list(range(chunks)))
    loss, expected = joint_loss_and_gradients(chunks)
    np.testing.assert_allclose(losses.mean(), loss, rtol=1e-6)
    assert (
        largest_error([{f"own:{key}": value for key, value in found.items()}], "own", expected)
        < 1e-6
    )


def test_in_batch_chunks_see_only_themselves():
    losses, both = learnt([0, 1], cross_batch=False)
    alone = [learnt([place], cross_batch=False) for place in (0, 1)]
    np.testing.assert_allclose(losses, np.concatenate([own for own, _ in alone]), rtol=1e-6)
    for name, value in both.items():
        np.testing.assert_allclose(
            value, (alone[0][1][name] + alone[1][1][name]) / 2, atol=1e-5, err_msg=name
        )


@pytest.mark.parametrize("places", [[0], [0, 1]])
def test_the_loss_scale_multiplies_every_gradient(places):
    _, plain = learnt(places)
    _, scaled = learnt(places, scale=1024.0)
    for name, value in plain.items():
        np.testing.assert_array_equal(scaled[name] / 1024, value, err_msg=name)


def test_positives_are_found_in_each_chunk():
    # Two chunks of two queries with three passages each: positives at 0 1 of six, and at 6 7 of
    # twelve.
    assert positive_places(4, 12, 2).tolist() == [0, 1, 6, 7]
    assert positive_places(3, 6, 1).tolist() == [0, 1, 2]


def test_loss_of_a_batch_worked_out_by_hand():
    q_reps = paddle.to_tensor([[1.0, 0.0], [0.0, 2.0]])
    p_reps = paddle.to_tensor(
        [[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    )  # two positives, two hard negatives
    losses, hits = losses_and_hits(q_reps, p_reps, cross_batch=True)
    first = -np.log(np.e / (2 * np.e + 2))  # logits 1 1 0 0
    second = -np.log(1 / (3 + np.exp(2)))  # logits 0 0 0 2
    np.testing.assert_allclose(losses.numpy(), [first, second], rtol=1e-6)
    assert hits.tolist() == [1.0, 0.0]
    losses, _ = losses_and_hits(q_reps, p_reps, cross_batch=True, temperature=0.5)
    first = -np.log(np.exp(2) / (2 * np.exp(2) + 2))  # logits 2 2 0 0
    second = -np.log(1 / (3 + np.exp(4)))  # logits 0 0 0 4
    np.testing.assert_allclose(losses.numpy(), [first, second], rtol=1e-6)
    # The second positive is a copy of the first, and the last passage is known to answer the second
    # query.
    known = KnownPositives(np.array([7, 7, 8, 9]), [[7], [7, 9]])
    losses, hits = losses_and_hits(q_reps, p_reps, True, known_positives=known)
    np.testing.assert_allclose(
        losses.numpy(), [-np.log(np.e / (np.e + 2)), -np.log(1 / 2)], rtol=1e-6
    )
