"""A pickled word list is taken where loading it calls nothing, and refused in one line everywhere
else.
"""

import pickle

import pytest
from pickled_weights_fixture import Harm

from rocketqa.files.errors import DataError
from rocketqa.text.word_list import check_word_list

WORDS = ["paris", "é", "法国"]


@pytest.mark.parametrize("container", [list, set, frozenset, dict.fromkeys])
@pytest.mark.parametrize("protocol", range(5))
def test_words_in_any_container_are_taken(tmp_path, container, protocol):
    path = tmp_path / "words.pickle"
    path.write_bytes(pickle.dumps(container(WORDS), protocol))
    check_word_list(path)


@pytest.mark.parametrize("protocol", range(5))
def test_a_list_that_would_run_something_is_refused_and_runs_nothing(tmp_path, protocol):
    path = tmp_path / "words.pickle"
    path.write_bytes(pickle.dumps([*WORDS, Harm(tmp_path / "harm")], protocol))
    with pytest.raises(DataError) as error:
        check_word_list(path)
    assert str(error.value).startswith(f"{path}: expected words only, got a call of ")
    assert str(error.value).endswith(".open")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"paris\nlondon\n",
        pickle.dumps(WORDS)[:-3],
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.",
        b"cbuiltins\nset.__class__\n.",
    ],
)
def test_what_is_no_pickle_of_words_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "words.pickle"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        check_word_list(path)
    assert str(error.value).startswith(f"{path}: expected ") and "\n" not in str(error.value)
