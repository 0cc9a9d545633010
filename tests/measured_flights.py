"""Measures of flights that a test makes up."""

from pathlib import Path

from rocketqa.evaluation.recommendation import Results, first_lines
from rocketqa.evaluation.report_tables import Depths, Measured
from rocketqa.evaluation.search_command import Flight

FLIGHT = Flight(Path("c"), Path("o"), Path("d/collection.tsv"), 32, 160, 20)
DEPTHS = Depths(100, 20)
RISING = {
    "bm25": 0.60,
    "start": 0.65,
    "dual_encoder_0": 0.70,
    "dual_encoder_1": 0.71,
    "dual_encoder_2": 0.72,
    "cross_encoder": 0.7891,
}


def results(values, measure="MRR@10", judged=1491, depths=DEPTHS, flight=FLIGHT):
    """Returns results with one measure of each model."""
    measured = [Measured(model, "", measure, value) for model, value in values.items()]
    return Results(measured, dict.fromkeys(values, judged), depths, flight)


def warnings(values, **others):
    """Returns the warnings of a report on these values."""
    lines = first_lines(results(values, **others))
    return [line.removeprefix("**Warning:** ") for line in lines if "Warning" in line]
