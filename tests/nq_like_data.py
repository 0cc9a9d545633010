"""Toy data in the form of Natural Questions: with answers, a test split and a run of BM25."""

from pathlib import Path

from script_runs import make_toy_data


def make_nq_like_data(folder: Path) -> Path:
    """Builds small toy data and adds what Natural Questions has besides. Returns the folder."""
    make_toy_data(
        folder,
        entities=12,
        train_queries=40,
        dev_queries=15,
        unlabelled_queries=30,
    )
    texts = {}
    for passage_id, _, text in read_columns(folder / "collection.tsv"):
        texts[passage_id] = text
    _write_answers(folder, "train", "train", texts)
    _write_answers(folder, "dev", "test", texts)
    queries = (folder / "queries.dev.tsv").read_bytes()
    (folder / "queries.test.tsv").write_bytes(queries)
    _write_bm25_run(folder, list(texts))
    return folder


def read_columns(path: Path) -> list[list[str]]:
    """Returns the columns of every line."""
    return [line.split("\t") for line in path.read_text().splitlines()]


def _write_answers(folder: Path, split: str, name: str, texts: dict[str, str]) -> None:
    """Writes answers.NAME.tsv: the first word of the last relevant passage of each query."""
    answers = {}
    for query_id, _, passage_id, _ in read_columns(folder / f"truth.{split}.tsv"):
        words = texts[passage_id].split()
        answers[query_id] = words[0]
    with (folder / f"answers.{name}.tsv").open("w") as lines:
        for query_id, answer in answers.items():
            lines.write(f"{query_id}\t{answer}\n")


def _write_bm25_run(folder: Path, passage_ids: list[str]) -> None:
    """Writes bm25.train.run: for each query one passage that is not its labelled one."""
    labelled = {}
    for query_id, _, passage_id, _ in read_columns(folder / "qrels.train.tsv"):
        labelled[query_id] = passage_id
    first, second, *_ = passage_ids
    with (folder / "bm25.train.run").open("w") as lines:
        for query_id, positive in labelled.items():
            other = second if positive == first else first
            lines.write(f"{query_id}\tQ0\t{other}\t1\t1.0\tbm25\n")
