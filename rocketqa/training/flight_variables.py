"""The variables of an env file (`run_scripts/*.env`): their names, and what each may be.

A variable that a script passes on as a flag has the range or the choices of that flag.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from rocketqa.files.errors import DataError
from rocketqa.files.ranges import (
    ABOVE_0,
    ANY_WHOLE,
    FROM_0,
    PERCENT,
    PROBABILITY,
    WHOLE_FROM_0,
    WHOLE_FROM_1,
    Range,
    shown,
)
from rocketqa.training.plan import FILES, RATES
from rocketqa.training.plan_numbers import parse_numbers
from rocketqa.training.settings import CHOICES, RANGES

# Raises ValueError with `expected ..., got ...` where a value is wrong.
Check = Callable[[str], object]


def anything(value: str) -> str:
    """Returns the value: every text is right."""
    return value


def place(value: str) -> str:
    """Returns the name of a file, folder or model.

    Refused are names that a script would take for something else: an empty one, one that begins
    like a flag, and one with signs that are not visible.
    """
    if not value.strip():
        raise ValueError("expected a path, got an empty text")
    if value.startswith("~"):
        raise ValueError(f"expected a path, got {shown(value)}, whose ~ only a shell understands")
    if value.startswith("-"):
        raise ValueError(f"expected a path, got {shown(value)}, which begins like a flag")
    if not value.isprintable() or value != value.strip():
        expected = "a path without tabs, ends of lines, and blanks before or behind"
        raise ValueError(f"expected {expected}, got {value!r}")
    return value


def split_name(value: str) -> str:
    """Returns the SPLIT of queries.SPLIT.tsv."""
    if not re.fullmatch(r"[\w-]+", value):
        expected = "the SPLIT of a file queries.SPLIT.tsv"
        raise ValueError(f"expected {expected}, such as dev, got {shown(value)}")
    return value


def one_of(*choices: str) -> Check:
    """Returns the check of a value that is one of these words."""

    def check(value: str) -> str:
        if value not in choices:
            raise ValueError(f"expected {' or '.join(choices)}, got {shown(value)}")
        return value

    return check


def empty_or(check: Check) -> Check:
    """Returns the check of a value that may be empty."""
    return lambda value: check(value) if value else ""


def words(check: Check) -> Check:
    """Returns the check of a value of one word or more."""

    def check_each(value: str) -> Sequence[object]:
        each = value.split()
        if not each:
            raise ValueError("expected one word or more, got an empty text")
        return [check(word) for word in each]

    return check_each


def numbers_by_name(variable: str, names: Sequence[str], range: Range) -> Check:
    """Returns the check of words NAME=NUMBER."""

    def check(value: str) -> object:
        try:
            return parse_numbers(value, names, variable, range)
        except DataError as error:
            raise ValueError(str(error).removeprefix(f"{variable}: ")) from error

    return check


def model_and_source(value: str) -> str:
    """Returns a word MODEL=SOURCE of RELEASED."""
    model, _, source = value.partition("=")
    if model not in MODELS or not source:
        expected = f"words MODEL=SOURCE with a MODEL of {', '.join(MODELS)}"
        raise ValueError(f"expected {expected}, got {shown(value)}")
    return value


MODELS = ("dual_encoder_0", "dual_encoder_1", "dual_encoder_2", "cross_encoder")
yes_or_no = one_of("yes", "no")
labels_or_answers = one_of("labels", "answers")
JUDGED_BY_ANSWERS = ("answers", "answers-by-characters")
whole_from_0 = WHOLE_FROM_0.read
whole_from_1 = WHOLE_FROM_1.read
VARIABLES: Mapping[str, Check] = {  # in the order of the env files
    "DATA_DIR": place,
    "DATA_PREP": anything,
    "TOKENISE": yes_or_no,
    "OUTPUT_DIR": place,
    "CHECKPOINT_DIR": place,
    "INIT": place,
    "INIT_CROSS": place,
    "INIT_BERT": empty_or(place),
    "LAYER_NORM_EPS": empty_or(RANGES["layer_norm_eps"].read),
    "REPRESENTATION": empty_or(one_of(*CHOICES["representation"])),
    "SIMILARITY": empty_or(one_of(*CHOICES["similarity"])),
    "TEMPERATURE": empty_or(RANGES["temperature"].read),
    "CHOOSE": yes_or_no,
    "PAPER_FLIGHT": one_of("marco", "nq", "none"),
    "SEED": RANGES["seed"].read,
    "DEVICES": whole_from_1,
    "DEVICES_CROSS": whole_from_1,
    "DEVICES_INFERENCE": whole_from_1,
    "SAVE_EVERY": RANGES["save_every"].read,
    "DETERMINISTIC": yes_or_no,
    "MIN_STEPS": RANGES["min_steps"].read,
    "MIN_STEPS_CROSS": RANGES["min_steps"].read,
    "MAX_STEPS": empty_or(RANGES["max_steps"].read),
    "BASELINES": yes_or_no,
    "BM25_K1": FROM_0.read,
    "BM25_B": PROBABILITY.read,
    "BM25_STEMMER": empty_or(place),
    "FUSE": yes_or_no,
    "ABLATION_SEEDS": words(ANY_WHOLE.read),
    "FIGURE_BATCHES": empty_or(words(whole_from_1)),
    "FIGURE_PARTS": empty_or(words(PERCENT.read)),
    "ROWS": numbers_by_name("ROWS", FILES, WHOLE_FROM_0),
    "RATES": numbers_by_name("RATES", RATES, ABOVE_0),
    "BATCH_SIZE": RANGES["batch_size"].read,
    "ACCUMULATE": RANGES["accumulate"].read,
    "RECOMPUTE": yes_or_no,
    "PRECISION": one_of(*CHOICES["precision"]),
    "LEARNING_RATE": RANGES["learning_rate"].read,
    "WARMUP": RANGES["warmup"].read,
    "WEIGHT_DECAY": RANGES["weight_decay"].read,
    "EPOCHS_1": RANGES["epochs"].read,
    "EPOCHS_3": RANGES["epochs"].read,
    "EPOCHS_4": RANGES["epochs"].read,
    "QUERY_LENGTH": RANGES["query_length"].read,
    "PASSAGE_LENGTH": RANGES["passage_length"].read,
    "PASSAGE_LENGTHS": empty_or(words(RANGES["passage_length"].read)),
    "NEGATIVES": one_of(*CHOICES["negatives"]),
    "MASK_POSITIVES": yes_or_no,
    "DUAL_NEGATIVES": whole_from_1,
    "BATCH_SIZE_CROSS": RANGES["batch_size"].read,
    "ACCUMULATE_CROSS": RANGES["accumulate"].read,
    "PRECISION_CROSS": one_of(*CHOICES["precision"]),
    "FGM": RANGES["fgm"].read,
    "LEARNING_RATE_CROSS": RANGES["learning_rate"].read,
    "WARMUP_CROSS": RANGES["warmup"].read,
    "DECAY_CROSS": one_of(*CHOICES["decay"]),
    "WEIGHT_DECAY_CROSS": RANGES["weight_decay"].read,
    "EPOCHS_CROSS": RANGES["epochs"].read,
    "HELD_OUT": RANGES["held_out"].read,
    "PAIR_LENGTH": RANGES["max_length"].read,
    "CROSS_NEGATIVES": whole_from_1,
    "CROSS_DEPTH": whole_from_1,
    "EASY_STEPS_CROSS": whole_from_0,
    "STAGE_1_RUN": empty_or(place),
    "POSITIVES": labels_or_answers,
    "PRECISION_INFERENCE": one_of("float32", "reduced"),
    "BATCH_TOKENS": empty_or(whole_from_1),
    "RETRIEVE_DEPTH": whole_from_1,
    "DENOISE_DEPTH": whole_from_1,
    "MAX_NEGATIVE": PROBABILITY.read,
    "MIN_POSITIVE": PROBABILITY.read,
    "FILL_DEPTH": whole_from_0,
    "THRESHOLDS": one_of("paper", "calibrated"),
    "AUGMENT_DEPTH": whole_from_1,
    "EVALUATE_BY": one_of("labels", *JUDGED_BY_ANSWERS),
    "EVALUATE_SPLIT": split_name,
    "TABLES": yes_or_no,
    "RERANK_DEPTH": whole_from_1,
    "RELEASED": empty_or(words(model_and_source)),
    "DISTIL": yes_or_no,
    "DISTIL_TEACHER": one_of("cross-encoder", "mean"),
    "DISTIL_NEGATIVES": whole_from_1,
    "DISTIL_DEPTH": whole_from_1,
    "DISTIL_TEMPERATURE": RANGES["teacher_temperature"].read,
    "DISTIL_WEIGHT": RANGES["teacher_weight"].read,
    "BATCH_SIZE_5": RANGES["batch_size"].read,
    "LEARNING_RATE_5": RANGES["learning_rate"].read,
    "EPOCHS_5": RANGES["epochs"].read,
}


def wrong_variables(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields the name of each wrong variable, and what is wrong: missing, unknown, or its value."""
    for name in VARIABLES:
        if name not in variables:
            yield name, f"expected a value, got none ({EXPLAINED})"
    for name, value in variables.items():
        fault = _fault_of(name, value)
        if fault:
            yield name, fault
    fault = _fault_of_distillation(variables)
    if fault:
        yield "DISTIL_DEPTH", fault


EXPLAINED = "run_scripts/toy.env explains every variable"


def _fault_of_distillation(variables: Mapping[str, str]) -> str:
    """Returns what is wrong with the depth of stage 5: one of its passages may be the positive."""
    names = ("DISTIL_DEPTH", "DISTIL_NEGATIVES")
    if variables.get("DISTIL") != "yes" or any(
        _fault_of(name, variables.get(name, "")) for name in names
    ):
        return ""
    depth, negatives = (int(variables[name]) for name in names)
    if depth > negatives:
        return ""
    return f"expected more than the {negatives} of DISTIL_NEGATIVES, got {depth}"


def _fault_of(name: str, value: str) -> str:
    """Returns what is wrong with a variable, an empty text where nothing is."""
    if name not in VARIABLES:
        near = get_close_matches(name, VARIABLES, n=1)
        cure = f"did you mean {near[0]}?" if near else EXPLAINED
        return f"expected a known variable, got this name ({cure})"
    try:
        VARIABLES[name](value)
    except ValueError as error:
        return str(error)
    return ""
