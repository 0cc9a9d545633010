"""Slow twins of the loss of all devices: one process on the joint batch, or numpy in float64."""

from types import SimpleNamespace

import numpy as np
import paddle
from cross_batch_worker import (
    CONFIG,
    WEIGHT,
    B,
    H,
    P,
    chunk,
    chunk_with_teacher,
    gradients,
    model,
    seeded,
    teacher_of,
)

from rocketqa.cross_batch_negatives import losses_and_hits


def joint_loss_and_gradients(places: int, config=CONFIG) -> tuple[float, dict[str, np.ndarray]]:
    """One process, one graph: what so many devices have, joined before the loss."""
    encoder, reps = model(config), []
    for place in range(places):
        with seeded(place):
            own = chunk(place)
            reps.append(encoder(own.queries, own.passages))
    q_reps, p_reps = (paddle.concat(part) for part in zip(*reps))
    losses, _ = losses_and_hits(q_reps, p_reps, True, chunks=places, temperature=config.temperature)
    losses.mean().backward()
    return float(losses.mean()), gradients(encoder)


def slow_loss_and_gradients(q, p, left_out=None):
    """The joint loss over all queries in float64, and its gradients, written out. q [A, B, H], p
    [A, B*P, H].
    """
    passages = p.reshape(-1, H)
    loss, q_gradient, p_gradient = 0.0, np.zeros_like(q), np.zeros_like(passages)
    for device in range(len(q)):
        for i in range(B):
            shares = np.exp(passages @ q[device, i])
            if left_out is not None:
                shares[left_out[device, i]] = 0
            shares /= shares.sum()
            positive = device * B * P + i
            loss -= np.log(shares[positive]) / (len(q) * B)
            shares[positive] -= 1
            q_gradient[device, i] = shares @ passages / (len(q) * B)
            p_gradient += np.outer(shares, q[device, i]) / (len(q) * B)
    return loss, q_gradient, p_gradient.reshape(p.shape)


def slow_divergence_and_gradients(q, p, teacher):
    """The mean divergence from the teacher over all queries in float64, and its gradients, written
    out. teacher [A, B, P].
    """
    loss, q_gradient, p_gradient = 0.0, np.zeros_like(q), np.zeros_like(p)
    queries = len(q) * B
    for device in range(len(q)):
        for i in range(B):
            own = [place for place in range(P) if np.isfinite(teacher[device, i, place])]
            rows = [place * B + i for place in own]
            t = np.exp(teacher[device, i, own])
            t /= t.sum()
            s = np.exp(p[device, rows] @ q[device, i])
            s /= s.sum()
            loss += (t * np.log(t / s)).sum() / queries
            q_gradient[device, i] = (s - t) @ p[device, rows] / queries
            p_gradient[device, rows] = np.outer(s - t, q[device, i]) / queries
    return loss, q_gradient, p_gradient


def reps_of(devices: int) -> SimpleNamespace:
    """Returns representations, passage numbers with repetitions, and two known positives of each
    query.
    """
    drawing = np.random.default_rng(5)
    ids = drawing.integers(0, 12, (devices, B * P))
    known = np.stack(
        [ids[:, :B], drawing.integers(0, 12, (devices, B))], axis=2
    )  # the own positive and another
    is_there = drawing.random((devices, B * P)) < 0.6
    is_there[:, :B] = True  # the positives
    teacher = [teacher_of(device, is_there[device]) for device in range(devices)]
    return SimpleNamespace(
        teacher=np.stack(teacher),
        q=drawing.normal(size=(devices, B, H)),
        p=drawing.normal(size=(devices, B * P, H)),
        ids=ids,
        known=known,
    )


def norm(gradients: dict[str, np.ndarray]) -> float:
    """Returns the norm of a whole gradient, computed in float64."""
    squares = [(value.astype(np.float64) ** 2).sum() for value in gradients.values()]
    return float(np.sqrt(sum(squares)))


def largest_error(out, name, expected) -> float:
    """Returns the largest relative error of the whole gradient over the devices."""
    errors = []
    for part in out:
        difference = {key: part[f"{name}:{key}"] - value for key, value in expected.items()}
        errors.append(norm(difference) / norm(expected))
    return max(errors)


def divergence_alone(q_rep, rows, teacher):
    """The divergence of one query from its teacher, over the passages that are there."""
    t = paddle.nn.functional.softmax(teacher)
    s = paddle.nn.functional.softmax(rows @ q_rep)
    return (t * (t / s).log()).sum()


def joint_distilled_loss_and_gradients(places: int) -> tuple[float, dict[str, np.ndarray]]:
    """One process on what so many devices have, with a teacher, without empty places."""
    encoder, all_q_reps, all_p_reps, labels, distances, own = model(), [], [], [], [], []
    for place in range(places):
        with seeded(place):
            here = chunk_with_teacher(place)
            q_reps, p_reps = encoder(here.queries, here.passages)
        labels += range(sum(map(len, all_p_reps)), sum(map(len, all_p_reps)) + B)
        all_q_reps.append(q_reps)
        all_p_reps.append(p_reps)
        row_of_place = here.places.numpy().reshape([P, B])
        for i in range(B):
            there = [j for j in range(P) if row_of_place[j, i] < len(p_reps)]
            rows = paddle.stack([p_reps[int(row_of_place[j, i])] for j in there])
            teacher = paddle.stack([here.teacher[i, j] for j in there])
            distances.append(divergence_alone(q_reps[i], rows, teacher))
            begin = sum(map(len, all_p_reps[:-1]))
            own.append([begin + int(row_of_place[j, i]) for j in there[1:]])
    logits = paddle.concat(all_q_reps) @ paddle.concat(all_p_reps).T
    hidden = np.zeros(logits.shape, np.float32)
    for query, negatives_of_query in enumerate(own):
        hidden[query, negatives_of_query] = -np.inf
    logits = logits + paddle.to_tensor(hidden)
    negatives = paddle.nn.functional.cross_entropy(logits, paddle.to_tensor(labels))
    loss = (1 - WEIGHT) * negatives + WEIGHT * paddle.stack(distances).mean()
    loss.backward()
    return float(loss), gradients(encoder)
