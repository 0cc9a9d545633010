"""The toy language has different words, which no suffix turns into others."""

from argparse import Namespace

import numpy as np
import pytest
from data_prep_runs import data_prep_module

toy_world = data_prep_module("toy_world")

NUMBERS = Namespace(seed=3, names=5, entities=7, relations=4, synonyms=2, relations_per_entity=3)


@pytest.fixture
def world():
    """A small world."""
    return toy_world.make_world(NUMBERS)


def words_of(world) -> list[str]:
    """Returns the words of the language."""
    words = world.first_names + world.last_names
    words += world.values + world.fillers
    for group in world.relation_words + world.asking_words:
        words += group
    return words


def test_the_world_has_as_many_words_and_facts_as_asked_for(world):
    assert len(world.first_names) == 5
    assert len(world.last_names) == 5
    assert [len(words) for words in world.relation_words] == [2, 2, 2, 2]
    assert [len(words) for words in world.asking_words] == [2, 2, 2, 2]
    assert len(set(world.entities)) == 7
    assert len(set(world.facts)) == 7 * 3


def test_all_words_are_different(world):
    words = words_of(world)
    assert len(set(words)) == len(words)


def test_the_vocabulary_has_the_special_tokens_first_and_each_piece_once(world):
    vocabulary = toy_world.vocabulary_of(world)
    assert vocabulary[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "-"]
    assert set(words_of(world)) < set(vocabulary)
    assert vocabulary[-4:] == ["##wa", "##jo", "##his", "##cem"]
    assert len(set(vocabulary)) == len(vocabulary)


def test_no_word_begins_with_another_word_and_its_suffix(world):
    words = words_of(world)
    for word in words:
        for suffix in toy_world.SUFFIXES:
            with_suffix = word + suffix
            longer = [other for other in words if other.startswith(with_suffix)]
            assert not longer


def test_a_sentence_keeps_the_words_of_a_part_together():
    random = np.random.default_rng(1)
    for _ in range(50):
        fillers = ["bu", "da"]
        parts = [["fofo", "gigi"], ["koko"]]
        text = toy_world.sentence(random, fillers, parts, extra=3)
        stems = [word[:4] for word in text.split()]
        assert len(stems) == 6
        first = stems.index("fofo")
        assert stems[first + 1] == "gigi"
        assert "koko" in stems


def test_a_quarter_of_the_words_gets_a_suffix():
    random = np.random.default_rng(1)
    words = [toy_world.inflected(random, "bu") for _ in range(2000)]
    assert set(words) == {"bu", "buwa", "bujo", "buhis", "bucem"}
    share_without = words.count("bu") / len(words)
    assert share_without == pytest.approx(0.75, abs=0.03)


def test_the_same_seed_makes_the_same_world(world):
    assert toy_world.make_world(NUMBERS) == world
    other = Namespace(**vars(NUMBERS) | {"seed": 4})
    assert toy_world.make_world(other) != world
