"""The made-up language of the toy data, and the facts that its texts state."""

from argparse import Namespace
from itertools import chain, islice, product
from typing import NamedTuple

from numpy.random import Generator

from rocketqa.jobs.seeds import generator

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
# The suffixes have consonants that words do not have, so that a word with its suffix never begins
# like another word.
SUFFIXES = ("wa", "jo", "his", "cem")
SUFFIX_SHARE = 0.25  # of the words in texts
VALUES, FILLERS = 200, 60  # numbers of words


class World(NamedTuple):
    """The words of the language, and the facts as pairs of an entity's and a relation's number."""

    first_names: list[str]
    last_names: list[str]
    relation_words: list[list[str]]  # for each relation, those in passages
    asking_words: list[list[str]]  # for each relation, those in queries
    values: list[str]
    fillers: list[str]
    entities: list[tuple[int, int]]  # numbers of the first name and of the last name
    facts: list[tuple[int, int]]


def make_world(args: Namespace) -> World:
    """Returns the language and the facts."""
    random = generator(args.seed, "world")
    names = 2 * args.names
    relation_words = 2 * args.relations * args.synonyms
    words = make_words(random, names + relation_words + VALUES + FILLERS)
    unused = iter(words)

    def take(count: int) -> list[str]:
        return list(islice(unused, count))

    name_pairs = list(product(range(args.names), repeat=2))
    chosen = random.choice(len(name_pairs), args.entities, replace=False)
    entities = [name_pairs[number] for number in chosen]
    facts = []
    for entity in range(args.entities):
        relations = random.choice(args.relations, args.relations_per_entity, replace=False)
        for relation in relations.tolist():
            facts.append((entity, relation))
    return World(
        first_names=take(args.names),
        last_names=take(args.names),
        relation_words=[take(args.synonyms) for _ in range(args.relations)],
        asking_words=[take(args.synonyms) for _ in range(args.relations)],
        values=take(VALUES),
        fillers=take(FILLERS),
        entities=entities,
        facts=facts,
    )


def make_words(random: Generator, count: int) -> list[str]:
    """Returns `count` different words of two or three syllables."""
    words: dict[str, None] = {}
    while len(words) < count:
        syllables = []
        for _ in range(random.integers(2, 4)):
            consonant = random.choice(list(CONSONANTS))
            vowel = random.choice(list(VOWELS))
            syllables.append(f"{consonant}{vowel}")
        words["".join(syllables)] = None
    return list(words)


def inflected(random: Generator, word: str) -> str:
    """Returns the word, a quarter of the time with a suffix, which is a WordPiece of its own."""
    if random.random() < SUFFIX_SHARE:
        return word + str(random.choice(SUFFIXES))
    return word


def sentence(random: Generator, fillers: list[str], parts: list[list[str]], extra: int) -> str:
    """Returns the parts and `extra` filler words in random order; a part's words stay together."""
    pieces = list(parts)
    for _ in range(extra):
        filler = str(random.choice(fillers))
        pieces.append([filler])
    order = random.permutation(len(pieces))
    words = []
    for number in order:
        for word in pieces[number]:
            words.append(inflected(random, word))
    return " ".join(words)


def name_of(world: World, entity: int) -> list[str]:
    """Returns the first and the last name of an entity."""
    first, last = world.entities[entity]
    return [world.first_names[first], world.last_names[last]]


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
        *chain.from_iterable(world.relation_words),
        *chain.from_iterable(world.asking_words),
        *world.values,
        *world.fillers,
        *(f"##{suffix}" for suffix in SUFFIXES),
    ]
