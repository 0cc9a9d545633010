"""Literal files for the tests of negatives and pseudo-labels, and the verbs that run on them."""

from pathlib import Path

from rocketqa.cli.__main__ import main

# q1 has two positives, q2 one, q3 one that is never retrieved; q4 is retrieved but has no label.
QRELS = ["q1 0 p2 1", "q1 0 p5 1", "q2 0 p1 1", "q1 0 p6 0", "q3 0 p1 1"]
RANKINGS = {
    "q1": "p1 p2 p3 p4 p5 p6 p7",
    "q2": "p3 p1 p2 p4 p5 p6 p7",
    "q4": "p5 p4 p3 p2 p1",
}
# The cross encoder ranks anew: its lines have another order than those of the run.
SCORED_RANKINGS = {
    "q1": "p2 0.99, p1 0.95, p3 0.1, p4 0.09, p5 0.08, p7 0.02, p6 0.01",
    "q2": "p1 0.9, p2 0.5, p3 0.07, p4 0.06, p7 0.05, p6 0.04, p5 0.03",
    "q4": "p4 0.91, p3 0.91, p5 0.5, p1 0.09, p2 0.01",
}
COLLECTION = [f"p{number}||text" for number in range(1, 9)]


def run_of(rankings: dict[str, str]) -> list[str]:
    """Returns the lines of a run of `query -> passages by rank`."""
    return [
        f"{query_id} Q0 {passage_id} {rank} {9 - rank} x"
        for query_id, ranking in rankings.items()
        for rank, passage_id in enumerate(ranking.split(), 1)
    ]


def scores_of(rankings: dict[str, str]) -> list[str]:
    """Returns the lines of a run of `query -> passage score, passage score ...`."""
    lines = []
    for query_id, ranking in rankings.items():
        for rank, pair in enumerate(ranking.split(", "), 1):
            passage_id, score = pair.split()
            lines.append(f"{query_id} Q0 {passage_id} {rank} {score} x")
    return lines


RUN = run_of(RANKINGS)
SCORES = scores_of(SCORED_RANKINGS)


def rows_in(path: Path) -> list[str]:
    """Returns the lines of a file with spaces between their columns."""
    return path.read_text().replace("\t", " ").splitlines()


def write(folder: Path, name: str, lines: list[str]) -> str:
    """Writes a file, in which spaces and bars become tabs, and returns its path."""
    text = "".join(line.replace(" ", "\t").replace("|", "\t") + "\n" for line in lines)
    (folder / name).write_text(text)
    return str(folder / name)


def sample(
    folder: Path,
    *flags: str,
    purpose="dual",
    negatives=2,
    qrels=QRELS,
    run=RUN,
    scores=None,
    collection=None,
    also=None,
    seed=1,
) -> list[str]:
    """Returns the rows of `rocketqa sample-negatives`, from the run or a collection."""
    output = folder / "examples.tsv"
    command = ["sample-negatives", "--for", purpose, "--qrels", write(folder, "qrels.tsv", qrels)]
    if collection:
        command += ["--collection", write(folder, "collection.tsv", collection)]
    else:
        command += ["--run", write(folder, "a.run", run)]
    if scores:
        command += ["--scores", write(folder, "scores.run", scores)]
    if also:
        command += ["--also-positive", write(folder, "also.tsv", also)]
    command += ["--negatives", str(negatives), "--seed", str(seed), "--output", str(output)]
    assert main([*command, *flags]) == 0
    return rows_in(output)


def label(folder: Path, *flags: str, run=RUN, scores=SCORES, negatives=4) -> list[str]:
    """Returns the rows of `rocketqa pseudo-label`."""
    output = folder / "pseudo.tsv"
    command = ["pseudo-label", "--negatives", str(negatives), "--output", str(output)]
    command += ["--run", write(folder, "a.run", run)]
    command += ["--scores", write(folder, "scores.run", scores)]
    assert main([*command, *flags]) == 0
    return rows_in(output)


ANSWERS = ["q1 Wright.|Orville", "q2 1903", "q3 Wright", "q5 kitty"]
TEXTS = [
    "p1||a text",
    "p2|The Wright brothers|a text",
    "p3||WRIGHTS flew",
    "p4||another text",
    "p5||Kitty Hawk",
    "p6||or ville",
    "p7||in 19 03",
]


def sample_by_answers(
    folder: Path, *flags: str, purpose="dual", negatives=1, scores=None, run=RUN, answers=ANSWERS
) -> list[str]:
    """Returns the rows of `rocketqa sample-negatives --answers`, from the run and the texts."""
    output = folder / "examples.tsv"
    collection = folder / "collection.tsv"
    collection.write_text("".join(line.replace("|", "\t") + "\n" for line in TEXTS))
    command = ["sample-negatives", "--for", purpose, "--collection", str(collection)]
    command += ["--answers", write(folder, "answers.tsv", answers)]
    command += ["--run", write(folder, "a.run", run)]
    if scores:
        command += ["--scores", write(folder, "scores.run", scores)]
    command += ["--negatives", str(negatives), "--seed", "1", "--output", str(output)]
    assert main([*command, *flags]) == 0
    return rows_in(output)


def negatives_in(rows: list[str], purpose: str = "dual") -> dict[str, set[str]]:
    """Returns query_id -> its negatives in rows of examples."""
    negatives: dict[str, set[str]] = {}
    for query_id, *passages in map(str.split, rows):
        of_query = negatives.setdefault(query_id, set())
        if purpose == "dual":
            of_query.update(passages[1:])
        elif passages[1] == "0":
            of_query.add(passages[0])
    return negatives
