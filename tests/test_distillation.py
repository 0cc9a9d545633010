"""The dual encoder learns the distribution of a cross encoder over the passages of each row."""

import numpy as np
import paddle
import pytest
from toy_files import dual_flags, write_tiny_flight
from training_logs import column

from rocketqa.cli.__main__ import main
from rocketqa.cross_batch_negatives import DualChunk, NegativesObjective
from rocketqa.distillation import (
    EMPTY,
    DistillationObjective,
    Retriever,
    divergences,
    log_odds,
    own_logits,
    padded,
    teacher_logits,
)
from rocketqa.files.errors import DataError
from rocketqa.files.examples import TrainingExample
from rocketqa.files.formats import write_lines
from rocketqa.files.runs import ranked, run_lines
from rocketqa.jobs.job import Job
from rocketqa.training.known_positives import EMPTY_PLACE, KnownPositives

N, B, P, H = 2, 3, 4, 5


def test_log_odds_are_the_logits_of_the_cross_encoder():
    logits = np.array([-80.0, -20.0, -1.5, 0.0, 2.0, 9.0])
    probabilities = (1 / (1 + np.exp(-logits))).astype(np.float32)
    np.testing.assert_allclose(log_odds(probabilities), logits, rtol=1e-4, atol=1e-6)
    lowest, highest = log_odds(np.array([0.0, 1.0]))
    assert -88 < lowest < -87 and 17 < highest < 18


def write_run(path, scores):
    """Writes a run of one query q1."""
    write_lines(path, run_lines(ranked("q1", scores)))
    return path


def test_scores_are_joined_by_ids_and_divided_by_the_temperature(tmp_path):
    first = write_run(tmp_path / "1.run", [("p9", 0.5), ("p1", 0.8)])
    second = write_run(tmp_path / "2.run", [("p1", 0.1), ("p2", 0.2)])
    examples = [TrainingExample("q1", "p2", ("p1",)), TrainingExample("q1", "p9", ())]
    logits = teacher_logits(examples, [first, second], temperature=2.0)
    # Log-odds of .2, .8 (of the first run that has p1) and .5, by two.
    np.testing.assert_allclose(logits[0], [-np.log(4) / 2, np.log(4) / 2], rtol=1e-6)
    assert logits[1].tolist() == [0.0] and logits[0].dtype == np.float32


def test_a_retriever_counts_half_by_its_own_temperature(tmp_path):
    scored = write_run(tmp_path / "scored.run", [("p1", 0.8), ("p2", 0.5)])
    run = write_run(tmp_path / "retrieved.run", [("p2", 0.9), ("p1", 0.6)])
    rows = [TrainingExample("q1", "p1", ("p2",))]
    [logits] = teacher_logits(rows, [scored], 2.0, Retriever([run], 0.05))
    # (log-odds + score / .05) / 2, and this by the teacher's temperature of 2.
    np.testing.assert_allclose(logits, [(np.log(4) + 12) / 4, (0 + 18) / 4], rtol=1e-6)


def test_a_positive_that_the_retriever_has_not_found_counts_as_its_last_passage(tmp_path):
    scored = write_run(tmp_path / "scored.run", [("p1", 0.8), ("p2", 0.5)])
    first = write_run(tmp_path / "1.run", [("p2", 0.9), ("p3", 0.7)])
    empty = tmp_path / "2.run"
    write_lines(empty, run_lines(ranked("q2", [("p4", 0.1)])))
    rows = [TrainingExample("q1", "p1", ("p2",))]
    [logits] = teacher_logits(rows, [scored], 1.0, Retriever([empty, first], 0.1))
    np.testing.assert_allclose(logits, [(np.log(4) + 7) / 2, (0 + 9) / 2], rtol=1e-6)


@pytest.mark.parametrize("query_id", ["q1", "q2"])
def test_a_passage_that_the_retriever_has_not_found_is_refused(tmp_path, query_id):
    scored = write_run(tmp_path / "scored.run", [("p1", 0.8), ("p2", 0.5)])
    run = tmp_path / "retrieved.run"
    write_lines(run, run_lines(ranked(query_id, [("p2", 0.9)])))
    positive, negative = ("p2", "p1") if query_id == "q1" else ("p1", "p2")
    example = TrainingExample("q1", positive, (negative,))
    with pytest.raises(DataError) as error:
        teacher_logits([example], [scored], 1.0, Retriever([run], 1.0))
    message = "--teacher-retriever: expected a score of query q1 and passage p1, got none: take "
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    "score, passage_id, message",
    [
        (0.8, "p7", "--teacher: expected a score of query q1 and passage p7, got none: make it "),
        (13.2, "p1", "expected P(relevant), 0 to 1, of query q1 and passage p1, got 13.2: make"),
    ],
)
def test_a_pair_without_a_probability_is_refused(tmp_path, score, passage_id, message):
    run = write_run(tmp_path / "a.run", [("p1", score)])
    with pytest.raises(DataError) as error:
        teacher_logits([TrainingExample("q1", passage_id, ())], [run], 1.0)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("verb, expected", [("retrieve", "score"), ("score", "retrieve")])
def test_a_run_of_another_verb_is_no_teacher_and_no_retriever(tmp_path, verb, expected):
    run = tmp_path / "a.run"
    job = Job(verb, run, flags={}, inputs={})
    job.run(lambda part: write_run(part / "a.run", [("p1", 0.7)]))
    other = write_run(tmp_path / "other.run", [("p1", 0.7)])
    scored, retriever = (run, None) if expected == "score" else (other, Retriever([run], 1.0))
    with pytest.raises(DataError) as error:
        teacher_logits([TrainingExample("q1", "p1", ())], [scored], 1.0, retriever)
    got = f"expected a run of `rocketqa {expected}`, got the output of `{verb}`"
    assert str(error.value) == f"{run}: {got}"


def test_a_divergence_worked_out_by_hand():
    student = paddle.to_tensor([[0.0, 0.0, 5.0], [0.0, 1.0, 2.0], [3.0, 0.0, 0.0]])
    teacher = paddle.to_tensor(
        [[float(np.log(3)), 0.0, EMPTY], [7.0, 8.0, 9.0], [0.4, EMPTY, EMPTY]]
    )
    # The first query: (3/4, 1/4) against (1/2, 1/2).
    expected = [0.75 * np.log(1.5) + 0.25 * np.log(0.5), 0.0, 0.0]
    np.testing.assert_allclose(divergences(student, teacher).numpy(), expected, atol=1e-6)


def drawn(seed=3):
    """Returns representations of N chunks, and a teacher with empty places, in float64."""
    drawing = np.random.default_rng(seed)
    teacher = 2 * drawing.normal(size=(N * B, P))
    teacher[:, 1:][drawing.random((N * B, P - 1)) < 0.3] = EMPTY
    assert np.isinf(teacher).any()
    return drawing.normal(size=(N * B, H)), drawing.normal(size=(N * B * P, H)), teacher


def places_of(query: int) -> list[int]:
    """Returns where the passages of a query are among those of all chunks."""
    chunk, in_chunk = divmod(query, B)
    return [chunk * B * P + place * B + in_chunk for place in range(P)]


def slow_losses(q, p, teacher, temperature, weight):
    """The loss of each query, written out in float64: its own hard negatives are none for the
    first part.
    """
    empty = []
    for query in range(N * B):
        empty += [place for place, t in zip(places_of(query), teacher[query]) if t == EMPTY]
    losses = []
    for query in range(N * B):
        own = places_of(query)
        logits = p @ q[query] / temperature
        there = np.setdiff1d(np.arange(len(p)), [*empty, *own[1:]])
        negative = np.log(np.exp(logits[there]).sum()) - logits[own[0]]
        mine = [place for place in own if place not in empty]
        t = np.exp(teacher[query][np.isfinite(teacher[query])])
        t /= t.sum()
        s = np.exp(logits[mine])
        s /= s.sum()
        losses.append((1 - weight) * negative + weight * (t * np.log(t / s)).sum())
    return np.array(losses)


def chunks_of(teacher) -> list[DualChunk]:
    chunks = []
    for rows in np.split(teacher, N):
        numbers = np.where(rows.T.reshape(-1) == EMPTY, EMPTY_PLACE, 0)
        masked = KnownPositives(numbers, [[EMPTY_PLACE]] * B)
        chunks.append(DualChunk(None, None, masked, None, paddle.to_tensor(rows)))
    return chunks


@pytest.mark.parametrize("temperature, weight", [(1.0, 0.5), (0.05, 0.2), (1.0, 1.0)])
def test_losses_and_gradients_of_chunks_with_empty_places_are_those_of_float64(temperature, weight):
    q, p, teacher = drawn()
    if temperature < 1:  # the cosine: vectors of length 1
        q, p = (reps / np.linalg.norm(reps, axis=1, keepdims=True) for reps in (q, p))
    q_reps, p_reps = (paddle.to_tensor(reps, stop_gradient=False) for reps in (q, p))
    objective = DistillationObjective(temperature=temperature, weight=weight)
    losses, hits = objective.losses_and_hits(q_reps, p_reps, chunks_of(teacher))
    expected = slow_losses(q, p, teacher, temperature, weight)
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-10)
    plain = NegativesObjective(temperature=temperature)
    _, plain_hits = plain.losses_and_hits(q_reps, p_reps, chunks_of(teacher))
    assert (hits == plain_hits).all()
    losses.mean().backward()
    step = 1e-6
    for reps, tensor in ((q, q_reps), (p, p_reps)):
        for row in (0, 4):
            for number in range(H):
                loss = []
                for sign in (1, -1):
                    moved = reps.copy()
                    moved[row, number] += sign * step
                    both = (moved, p) if reps is q else (q, moved)
                    loss.append(slow_losses(*both, teacher, temperature, weight).mean())
                slope = (loss[0] - loss[1]) / (2 * step)
                found = float(tensor.grad[row, number])
                assert found == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_own_logits_follow_the_order_of_the_passages_in_each_chunk():
    q_reps = paddle.arange(1, N * B + 1, dtype="float64").reshape([N * B, 1])
    p_reps = paddle.arange(N * B * P, dtype="float64").reshape([N * B * P, 1])
    found = own_logits(q_reps, p_reps, N, temperature=2.0).numpy()
    for query in range(N * B):
        assert found[query].tolist() == [(query + 1) * place / 2 for place in places_of(query)]


@pytest.fixture(scope="module")
def flight(tmp_path_factory):
    """A tiny flight whose rows have one to three negatives, and the scores of its pairs: the
    teacher prefers the last negative of each row.
    """
    folder = tmp_path_factory.mktemp("flight")
    write_tiny_flight(folder)
    rows, lines = [], []
    for i in range(40):
        passage_ids = [f"p{(i + 11 * k) % 40}" for k in range(2 + i % 3)]
        rows.append("\t".join([f"q{i}", *passage_ids]))
        scores = [(passage_id, 0.1) for passage_id in passage_ids[:-1]]
        lines += run_lines(ranked(f"q{i}", [*scores, (passage_ids[-1], 0.9)]))
    write_lines(folder / "examples.dual.tsv", rows)
    write_lines(folder / "a.scored.run", lines)
    write_lines(folder / "short.run", lines[:-1])
    return folder


def train(folder, output, batch_size, **changed) -> None:
    given = {"teacher": folder / "a.scored.run", "teacher-weight": 1} | changed
    flags = dual_flags(folder, output, batch_size, **given)
    assert main(["train-dual-encoder", *flags]) == 0


def test_the_divergence_is_that_of_the_own_passages_wherever_the_negatives_come_from(
    flight, tmp_path
):
    """Chunks, recomputation and in-batch negatives change nothing of it, by dot product as by
    cosine.
    """
    changes = [{}, {"recompute": ""}, {"accumulate": 2}, {"negatives": "in-batch"}]
    for similarity in ("dot", "cosine"):
        found = []
        for number, changed in enumerate(changes):
            output = tmp_path / f"{similarity}{number}"
            batch_size = 4 // changed.get("accumulate", 1)
            train(flight, output, batch_size, similarity=similarity, **changed, **{"max-steps": 1})
            found += column(output, "loss")
        np.testing.assert_allclose(found, found[0], rtol=1e-5)
        assert found[0] > 0.1


def test_a_training_comes_nearer_to_its_teacher_than_to_the_labels(flight, tmp_path):
    train(flight, tmp_path / "out", 10, epochs=8, **{"learning-rate": 1e-2})
    losses, accuracies = (column(tmp_path / "out", what) for what in ("loss", "accuracy"))
    assert np.mean(losses[-4:]) < 0.6 * losses[0]
    assert np.mean(accuracies[-4:]) < 0.3


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"teacher": "short.run"}, "--teacher: expected a score of query q39 and passage p"),
        ({"teacher-weight": 0.5}, "--teacher-weight: expected it together with --teacher, got it"),
        ({"teacher-retriever": "a.scored.run"}, "--teacher-retriever: expected it together with"),
        ({"teacher-temperature": 2}, "--teacher-temperature: expected it together with --teacher"),
        (
            {"teacher": "a.scored.run", "examples": "alone.tsv"},
            "--teacher: expected examples with hard negatives, got positives alone",
        ),
    ],
)
def test_what_cannot_be_distilled_is_one_line_before_anything_is_trained(
    flight, tmp_path, capsys, changed, message
):
    write_lines(flight / "alone.tsv", ["q1\tp1", "q2\tp2"])
    given = {}
    for name, value in changed.items():
        given[name] = flight / value if isinstance(value, str) else value
    flags = dual_flags(flight, tmp_path / "out", 4, **given)
    assert main(["train-dual-encoder", *flags]) == 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith(f"rocketqa train-dual-encoder: {message}")
    assert not (tmp_path / "out").exists()


def test_rows_with_fewer_negatives_have_empty_places_at_their_end():
    rows = [np.array([1.0, 2.0]), np.array([3.0])]
    assert padded(rows, 3).tolist() == [[1.0, 2.0, EMPTY], [3.0, EMPTY, EMPTY]]
