"""Toy data in the form of Natural Questions: with answers, a test split and a run of BM25."""

from pathlib import Path

from script_runs import make_toy_data


def make_nq_like_data(folder: Path) -> Path:
    """Builds small toy data and adds what Natural Questions has besides. Returns the folder."""
    make_toy_data(folder, entities=12, train_queries=40, dev_queries=15, unlabelled_queries=30)
    texts = {}
    for line in (folder / "collection.tsv").read_text().splitlines():
        passage_id, _, text = line.split("\t")
        texts[passage_id] = text
    _write_answers(folder, "train", "train", texts)
    _write_answers(folder, "dev", "test", texts)
    (folder / "queries.test.tsv").write_bytes((folder / "queries.dev.tsv").read_bytes())
    _write_bm25_run(folder, list(texts))
    return folder


def _write_answers(folder: Path, split: str, name: str, texts: dict[str, str]) -> None:
    """Writes answers.NAME.tsv: the first word of the last relevant passage of each query."""
    answers = {}
    for line in (folder / f"truth.{split}.tsv").read_text().splitlines():
        query_id, _, passage_id, _ = line.split("\t")
        answers[query_id] = texts[passage_id].split()[0]
    lines = [f"{query_id}\t{answer}\n" for query_id, answer in answers.items()]
    (folder / f"answers.{name}.tsv").write_text("".join(lines))


def _write_bm25_run(folder: Path, passage_ids: list[str]) -> None:
    """Writes bm25.train.run: for each query one passage that is not its labelled one."""
    labelled = {}
    for line in (folder / "qrels.train.tsv").read_text().splitlines():
        query_id, _, passage_id, _ = line.split("\t")
        labelled[query_id] = passage_id
    lines = []
    for query_id, positive in labelled.items():
        other = next(passage_id for passage_id in passage_ids if passage_id != positive)
        lines.append(f"{query_id}\tQ0\t{other}\t1\t1.0\tbm25\n")
    (folder / "bm25.train.run").write_text("".join(lines))
