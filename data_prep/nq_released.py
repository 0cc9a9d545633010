"""Builds the files of Natural Questions from the released RocketQA corpus, for nq.py."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from builds import BuildSettings, make_file
from dpr_files import different_answers
from marco import collection_lines, make_qrels
from releases import NQ_PASSAGES, NQ_QUERIES, RELEASED_NQ, folder_of
from sources import IdColumn, identifier, one_line, read_foreign


def build_from_released_corpus(settings: BuildSettings) -> list[int]:
    """Makes the files from the released RocketQA corpus and returns the exit statuses.

    The dev split, the judgements and the answers of train and dev are made if the corpus has them.
    """
    folder = folder_of(RELEASED_NQ, settings, "para.txt")
    statuses = []
    for split in NQ_QUERIES:
        statuses += make_released_split(settings, folder, split)
    texts = folder / "para.txt"
    titles = folder / "para.title.txt"
    notes: Counter[str] = Counter()
    collection = make_file(
        settings,
        "nq collection",
        "collection.tsv",
        collection_lines(texts, titles, notes),
        inputs={"texts": texts, "passage_titles": titles},
        notes=notes,
        published_rows=NQ_PASSAGES,
        flags={"titles": "yes", "source": "released"},
    )
    return [*statuses, collection]


def make_released_split(settings: BuildSettings, folder: Path, split: str) -> list[int]:
    """Makes queries, answers and judgements of a split of the released corpus."""
    queries = folder / f"{split}.query.txt"
    answers = folder / f"{split}.answers.txt"
    qrels = folder / f"qrels.{split}.tsv"
    rows = NQ_QUERIES[split]
    statuses = []
    if queries.is_file() or split != "dev":
        name = f"queries.{split}.tsv"
        lines = released_query_lines(queries)
        inputs = {"queries": queries}
        status = make_file(settings, "nq queries", name, lines, inputs=inputs, published_rows=rows)
        statuses.append(status)
    if answers.is_file() or split == "test":
        name = f"answers.{split}.tsv"
        lines = released_answer_lines(answers)
        inputs = {"answers": answers}
        status = make_file(settings, "nq answers", name, lines, inputs=inputs, published_rows=rows)
        statuses.append(status)
    if qrels.is_file():
        statuses.append(make_qrels(settings, qrels.name, qrels, None))
    return statuses


def released_query_lines(queries: Path) -> Iterator[str]:
    """Yields rows of query_id and text from the released corpus."""
    ids = IdColumn(queries)
    for place, (query_id, text) in read_foreign(queries, (2,)):
        ids.add(query_id)
        query_text = one_line(text, place)
        yield f"{identifier(query_id, place, 'query_id')}\t{query_text}"
    ids.refuse_repeated()


def released_answer_lines(answers: Path) -> Iterator[str]:
    """Yields rows of query_id and answers from the released corpus."""
    ids = IdColumn(answers)
    for place, (query_id, *texts) in read_foreign(answers, None):
        ids.add(query_id)
        columns = different_answers(texts, place)
        yield "\t".join((identifier(query_id, place, "query_id"), *columns))
    ids.refuse_repeated()
