"""Builds the toy data: small files in the layout of MS MARCO that show the paper's problem.

Nothing is downloaded, and everything follows from --seed. The texts are in a made-up language and
state facts. A fact is an entity (two names) and a relation (one of several words, others in queries
than in passages). Every fact is stated by several passages. All of them are relevant to a query
about it, but only about 1.1 of them are labelled. So most of the passages that a good retriever
ranks first are relevant and unlabelled, as in MS MARCO. The files truth.*.tsv hold all relevant
passages; they serve diagnosis only. The facts of dev queries are in no training and no unlabelled
query, so that no answer can be memorised. Their names and words each occur in training texts, so
that every query can be understood.

    collection.tsv  queries.{train,dev,unlabelled}.tsv  qrels.{train,dev}.tsv
    truth.{train,dev,unlabelled}.tsv
    init_dual/  init_cross/   small ERNIEs to start from; the cross encoder's is larger, as in the
                              paper
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from builds import run_script, script_parser
from numpy.random import Generator
from toy_world import World, make_world, name_of, sentence, vocabulary_of

from rocketqa.cli.flags import NumberType, add_job_flags, job_of
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.files.ranges import ANY_WHOLE, WHOLE_FROM_1, Range
from rocketqa.jobs.seeds import generator

TWO_LABELS_SHARE = 0.1  # of the queries; the others have one label
PASSAGES_PER_FACT = Range("a whole number from 2, the labels of a query", 2, 1000, whole=True)
FEWEST_FACTS = 4  # a quarter of them is for dev queries alone
MOST_WORDS = 100_000  # the language has some 350,000 words of two or three syllables
ATTEMPTS = 1000  # to find a new wording of a query

PassagesOfFact = dict[int, list[str]]  # fact -> ids of the passages that state it


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "toy.py",
        "Build the toy data: small files in the layout of MS MARCO, in a made-up language.",
        "python data_prep/toy.py --output data/toy",
    )
    add_job_flags(parser)

    def add_number(flag: str, default: int, text: str, range: Range = WHOLE_FROM_1) -> None:
        parser.add_argument(
            flag,
            type=NumberType(range),
            default=default,
            metavar="N",
            help=f"{text} (default: %(default)s)",
        )

    add_number("--seed", 1, "seed of all random numbers", ANY_WHOLE)
    add_number("--names", 60, "number of first names, and of last names")
    add_number("--entities", 150, "number of entities, each a first and a last name")
    add_number("--relations", 12, "number of relations")
    add_number("--synonyms", 3, "words of a relation in passages, and as many others in queries")
    add_number("--relations-per-entity", 4, "facts about each entity")
    add_number("--passages-per-fact", 6, "passages that state a fact", PASSAGES_PER_FACT)
    add_number("--train-queries", 400, "number of training queries")
    add_number("--dev-queries", 300, "number of dev queries")
    add_number("--unlabelled-queries", 3000, "number of unlabelled queries")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Builds the toy data and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the folder unless it is up to date, and returns the exit status."""
    refuse_impossible_world(args)
    job = job_of("toy", args, inputs=()).of_folder()

    def write(part: Path) -> None:
        world = make_world(args)
        relevant = write_collection(part, world, args)
        write_queries(part, world, relevant, args)
        write_initial_encoders(part, world, args.seed)

    return job.run(write, args.check)


def refuse_impossible_world(args: Namespace) -> None:
    """Raises DataError where the numbers of things do not go together."""
    pairs = args.names**2
    if args.entities > pairs:
        raise DataError(
            f"--entities: expected at most {pairs}, as many pairs of names, got {args.entities}"
        )
    if args.relations_per_entity > args.relations:
        raise DataError(
            f"--relations-per-entity: expected at most the {args.relations} of --relations, "
            f"got {args.relations_per_entity}"
        )
    facts = args.entities * args.relations_per_entity
    if facts < FEWEST_FACTS:
        raise DataError(f"--entities: expected at least {FEWEST_FACTS} facts, got {facts}")
    words = 2 * args.names + 2 * args.relations * args.synonyms
    if words > MOST_WORDS:
        raise DataError(f"--names, --synonyms: expected at most {MOST_WORDS} words, got {words}")


def write_initial_encoders(part: Path, world: World, seed: int) -> None:
    """Writes init_dual/ and init_cross/."""
    from toy_encoder import write_initial_encoder

    vocabulary = vocabulary_of(world)
    meanings = [
        in_passages + in_queries
        for in_passages, in_queries in zip(world.relation_words, world.asking_words)
    ]
    write_initial_encoder(part / "init_dual", vocabulary, meanings, 32, 0.0, seed)
    write_initial_encoder(part / "init_cross", vocabulary, meanings, 64, 0.1, seed)


def write_collection(part: Path, world: World, args: Namespace) -> PassagesOfFact:
    """Writes the passages in random order; returns fact -> ids of the passages that state it."""
    random = generator(args.seed, "collection")
    different_facts = np.arange(len(world.facts))
    facts = np.repeat(different_facts, args.passages_per_fact)
    random.shuffle(facts)
    relevant: PassagesOfFact = {}
    lines = []
    for passage_id, fact in enumerate(facts.tolist()):
        entity, relation = world.facts[fact]
        relation_word = str(random.choice(world.relation_words[relation]))
        value = str(random.choice(world.values))
        parts = [name_of(world, entity), [relation_word, value]]
        extra = int(random.integers(3, 9))
        text = sentence(random, world.fillers, parts, extra)
        title = random.choice(world.fillers)
        lines.append(f"{passage_id}\t{title}\t{text}")
        passages_of_fact = relevant.setdefault(fact, [])
        passages_of_fact.append(str(passage_id))
    write_lines(part / "collection.tsv", lines)
    return relevant


class Split(NamedTuple):
    """What the queries of a split ask about, in turn, and their number."""

    name: str
    facts: list[int]
    queries: int


def splits_of(facts: list[int], args: Namespace) -> list[Split]:
    """Returns the splits. A quarter of the facts is asked about by dev queries only.

    Of the other facts, half are asked about by training queries, and all by unlabelled queries.
    """
    dev_facts = facts[: len(facts) // 4]
    other_facts = facts[len(facts) // 4 :]
    train_facts = other_facts[: len(other_facts) // 2]
    return [
        Split("train", train_facts, args.train_queries),
        Split("dev", dev_facts, args.dev_queries),
        Split("unlabelled", other_facts, args.unlabelled_queries),
    ]


def write_queries(part: Path, world: World, relevant: PassagesOfFact, args: Namespace) -> None:
    """Writes queries, labels and all relevant passages of each split; unlabelled: no labels."""
    random = generator(args.seed, "queries")
    facts = random.permutation(len(world.facts)).tolist()
    seen: set[str] = set()
    for split in splits_of(facts, args):
        queries: list[str] = []
        labels: list[str] = []
        truth: list[str] = []
        for number in range(split.queries):
            fact = split.facts[number % len(split.facts)]
            query_id = f"{split.name}-{number}"
            text = new_query(random, world, fact, seen)
            queries.append(f"{query_id}\t{text}")
            label_count = 2 if random.random() < TWO_LABELS_SHARE else 1
            labelled = random.choice(relevant[fact], label_count, replace=False)
            labels += qrel_lines(query_id, labelled.tolist())
            truth += qrel_lines(query_id, relevant[fact])
        write_lines(part / f"queries.{split.name}.tsv", queries)
        write_lines(part / f"truth.{split.name}.tsv", truth)
        if split.name != "unlabelled":
            write_lines(part / f"qrels.{split.name}.tsv", labels)


def qrel_lines(query_id: str, passage_ids: list[str]) -> Iterator[str]:
    """Yields a judgement for each passage."""
    for passage_id in passage_ids:
        yield f"{query_id}\t0\t{passage_id}\t1"


def new_query(random: Generator, world: World, fact: int, seen: set[str]) -> str:
    """Returns a wording of a query about the fact that is not in `seen`, and adds it there.

    Raises DataError if none is found: there are more queries than wordings.
    """
    entity, relation = world.facts[fact]
    for _ in range(ATTEMPTS):
        asking_word = str(random.choice(world.asking_words[relation]))
        parts = [name_of(world, entity), [asking_word]]
        extra = int(random.integers(1, 4))
        text = sentence(random, world.fillers, parts, extra)
        if text not in seen:
            seen.add(text)
            return text
    raise DataError("--unlabelled-queries: expected fewer, got more than the facts have wordings")


if __name__ == "__main__":
    sys.exit(main())
