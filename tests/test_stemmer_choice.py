"""A stemmer is taken where it gains a hundredth over none."""

import pytest

from rocketqa.search.stemmer_choice import MeasuredStemmer, StemmerChoice


@pytest.mark.parametrize(
    "english, porter, chosen",
    [
        (0.609, 0.6, "none"),
        (0.61, 0.6, "english"),
        (0.61, 0.62, "porter"),
        (0.62, 0.62, "english"),  # of equal ones the first
        (0.5, 0.5, "none"),
    ],
)
def test_the_best_stemmer_is_taken_where_it_gains_a_hundredth(english, porter, chosen):
    measured = {"none": 0.6, "english": english, "porter": porter}
    choice = StemmerChoice([MeasuredStemmer(*pair) for pair in measured.items()])
    assert choice.chosen.stemmer == chosen
    head, *rows = choice.table()
    assert head == ["stemmer", "MRR@10", "chosen"]
    assert [row[0] for row in rows if row[2] == "yes"] == [chosen]
    assert [row[1] for row in rows] == sorted(f"{mrr:.4f}" for mrr in measured.values())[::-1]
