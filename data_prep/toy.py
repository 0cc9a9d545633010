"""Build the toy world: MS MARCO's files in miniature, with the paper's problem in them. No download, seeded.

A made-up language tells facts: an entity (two names) and a relation (one of several words, others in queries than in
passages). Every fact stands in several passages, all of them relevant to a query about it, but only about 1.1 are
labelled: most of what a good retriever ranks on top is relevant and unlabelled. `truth.*.tsv` keep all relevant
passages, for diagnostics alone. Facts of dev queries are in no training or unlabelled query, so nothing can be learnt
by heart; their names and words are, each, so everything can be understood.

    collection.tsv  queries.{train,dev,unlabelled}.tsv  qrels.{train,dev}.tsv  truth.{train,dev,unlabelled}.tsv
    init_dual/  init_cross/   small ERNIEs to start from, the cross encoder's the larger one, as in the paper
"""

import sys
from argparse import ArgumentParser
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.cli.flags import add_job_flags
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.jobs.job import Job
from rocketqa.jobs.seeds import generator

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
SUFFIXES = (
    "wa",
    "jo",
    "his",
    "cem",
)  # of other consonants: no word and suffix are the beginning of another word


class World(NamedTuple):
    """The words, and the facts as (entity, relation) numbers."""

    first_names: list[str]
    last_names: list[str]
    relation_words: list[list[str]]  # by relation; in passages
    asking_words: list[list[str]]  # by relation; in queries
    values: list[str]
    fillers: list[str]
    entities: list[tuple[int, int]]
    facts: list[tuple[int, int]]


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = ArgumentParser("data_prep/toy.py", description=__doc__.splitlines()[0])
    add_job_flags(parser)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--names", type=int, default=60, help="first names, and as many last names")
    parser.add_argument("--entities", type=int, default=150)
    parser.add_argument("--relations", type=int, default=12)
    parser.add_argument(
        "--synonyms", type=int, default=3, help="words of a relation in passages; others in queries"
    )
    parser.add_argument("--relations-per-entity", type=int, default=4)
    parser.add_argument("--passages-per-fact", type=int, default=6)
    parser.add_argument("--train-queries", type=int, default=400)
    parser.add_argument("--dev-queries", type=int, default=300)
    parser.add_argument("--unlabelled-queries", type=int, default=3000)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Builds the world and returns the exit status."""
    args = build_parser().parse_args(argv)
    job = Job("toy", args)
    status = job.status_if_done(args.check)
    if status is not None:
        return status
    with job as part:
        world = make_world(args)
        relevant = write_collection(part, world, args)
        write_queries(part, world, relevant, args)
        from toy_encoder import write_initial_encoder

        meanings = [told + asked for told, asked in zip(world.relation_words, world.asking_words)]
        for name, hidden_size, dropout in (("init_dual", 32, 0.0), ("init_cross", 64, 0.1)):
            write_initial_encoder(
                part / name, vocabulary_of(world), meanings, hidden_size, dropout, args.seed
            )
    return 0


def make_world(args) -> World:
    """Returns the language and the facts."""
    drawing = generator(args.seed, "world")
    words = iter(make_words(drawing, 2 * args.names + 2 * args.relations * args.synonyms + 260))

    def take(count: int) -> list[str]:
        return [next(words) for _ in range(count)]

    pairs = list(product(range(args.names), repeat=2))
    entities = [pairs[i] for i in drawing.choice(len(pairs), args.entities, replace=False)]
    facts = [
        (entity, int(relation))
        for entity in range(args.entities)
        for relation in drawing.choice(args.relations, args.relations_per_entity, replace=False)
    ]
    return World(
        take(args.names),
        take(args.names),
        [take(args.synonyms) for _ in range(args.relations)],
        [take(args.synonyms) for _ in range(args.relations)],
        take(200),
        take(60),
        entities,
        facts,
    )


def make_words(drawing, count: int) -> list[str]:
    """Returns different words of two or three syllables."""
    words: dict[str, None] = {}
    while len(words) < count:
        syllables = [
            "".join((drawing.choice(list(CONSONANTS)), drawing.choice(list(VOWELS))))
            for _ in range(drawing.integers(2, 4))
        ]
        words["".join(syllables)] = None
    return list(words)


def inflected(drawing, word: str) -> str:
    """Returns the word, at times with a suffix (a WordPiece of its own)."""
    return word + str(drawing.choice(SUFFIXES)) if drawing.random() < 0.25 else word


def sentence(drawing, fillers: list[str], parts: list[list[str]], extra: int) -> str:
    """Returns the parts in any order among `extra` filler words; the words of a part stay together."""
    pieces = parts + [[str(drawing.choice(fillers))] for _ in range(extra)]
    return " ".join(
        inflected(drawing, word) for i in drawing.permutation(len(pieces)) for word in pieces[i]
    )


def write_collection(part: Path, world: World, args) -> dict[int, list[str]]:
    """Writes the passages in random order and returns fact -> ids of the passages that tell it."""
    drawing = generator(args.seed, "collection")
    facts = np.repeat(np.arange(len(world.facts)), args.passages_per_fact)
    drawing.shuffle(facts)
    relevant: dict[int, list[str]] = {}
    lines = []
    for passage_id, fact in enumerate(facts.tolist()):
        entity, relation = world.facts[fact]
        first, last = world.entities[entity]
        told = [
            [world.first_names[first], world.last_names[last]],
            [
                str(drawing.choice(world.relation_words[relation])),
                str(drawing.choice(world.values)),
            ],
        ]
        text = sentence(drawing, world.fillers, told, int(drawing.integers(3, 9)))
        lines.append(f"{passage_id}\t{drawing.choice(world.fillers)}\t{text}")
        relevant.setdefault(fact, []).append(str(passage_id))
    write_lines(part / "collection.tsv", lines)
    return relevant


def write_queries(part: Path, world: World, relevant: dict[int, list[str]], args) -> None:
    """Writes queries, labels and truth of each split. Dev asks of facts that no other split asks of."""
    drawing = generator(args.seed, "queries")
    facts = drawing.permutation(len(world.facts)).tolist()
    dev_facts, other_facts = facts[: len(facts) // 4], facts[len(facts) // 4 :]
    train_facts = other_facts[: len(other_facts) // 2]
    splits = {
        "train": (train_facts, args.train_queries),
        "dev": (dev_facts, args.dev_queries),
        "unlabelled": (other_facts, args.unlabelled_queries),
    }
    seen: set[str] = set()
    for split, (split_facts, count) in splits.items():
        queries, labels, truth = [], [], []
        for number in range(count):
            fact = split_facts[number % len(split_facts)]
            query_id = f"{split}-{number}"
            queries.append(f"{query_id}\t{new_query(drawing, world, fact, seen)}")
            labelled = drawing.choice(
                relevant[fact], 2 if drawing.random() < 0.1 else 1, replace=False
            )
            labels.extend(f"{query_id}\t0\t{passage_id}\t1" for passage_id in labelled)
            truth.extend(f"{query_id}\t0\t{passage_id}\t1" for passage_id in relevant[fact])
        write_lines(part / f"queries.{split}.tsv", queries)
        write_lines(part / f"truth.{split}.tsv", truth)
        if split != "unlabelled":
            write_lines(part / f"qrels.{split}.tsv", labels)


def new_query(drawing, world: World, fact: int, seen: set[str]) -> str:
    """Returns a text that no query had so far."""
    entity, relation = world.facts[fact]
    first, last = world.entities[entity]
    for _ in range(1000):
        text = sentence(
            drawing,
            world.fillers,
            [
                [world.first_names[first], world.last_names[last]],
                [str(drawing.choice(world.asking_words[relation]))],
            ],
            int(drawing.integers(1, 4)),
        )
        if text not in seen:
            seen.add(text)
            return text
    raise DataError("--unlabelled-queries: expected fewer, got more than the facts have wordings")


def vocabulary_of(world: World) -> list[str]:
    """Returns the WordPieces: special tokens, whole words, suffixes."""
    return [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "-",
        *world.first_names,
        *world.last_names,
        *sum(world.relation_words, []),
        *sum(world.asking_words, []),
        *world.values,
        *world.fillers,
        *(f"##{suffix}" for suffix in SUFFIXES),
    ]


if __name__ == "__main__":
    sys.exit(main())
