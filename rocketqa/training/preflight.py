"""What a flight would stumble over, before anything of it runs: every refusal, a line each.

A flight is one execution of a script of `run_scripts/` with one env file. Looked at are the
variables, the files, the initial weights (read in full, or fetched by their name), and the machine.
Nothing is made, but PaddleNLP keeps a model that it has fetched.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.collection import CollectionFile
from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_answers, read_qrels, read_queries
from rocketqa.files.packages import MissingPackage
from rocketqa.files.rows import Check, file_fault
from rocketqa.files.validation import split_of
from rocketqa.training.adaptation_plan import (
    FILES,
    AdaptationPlan,
    below_adapted,
    judgement_files,
)
from rocketqa.training.flight_variables import JUDGED_BY_ANSWERS, wrong_variables
from rocketqa.training.machine_checks import (
    Refusal,
    refusals_of_disk,
    refusals_of_folders,
    refusals_of_gpus,
    refusals_of_nodes,
    refusals_of_packages,
    refusals_of_the_launcher,
)
from rocketqa.training.plan_numbers import goes_without_unlabelled
from rocketqa.training.weight_checks import try_finished_model, try_initial_weights

DUAL_ENCODERS = ("dual_encoder_0", "dual_encoder_1", "dual_encoder_2")
COLUMNS = {
    "collection": "passage_id, title, text",
    "queries": "query_id, text",
    "qrels": "query_id, 0, passage_id, relevance",
    "answers": "query_id, answer, answer ...",
}
READERS: Mapping[str, Callable[..., object]] = {
    "collection": CollectionFile,
    "queries": read_queries,
    "qrels": read_qrels,
    "answers": read_answers,
}
TOGETHER = ("queries.train.tsv", "queries.unlabelled.tsv")  # stage 4 reads both, with unique ids


class Needs(NamedTuple):
    """What a script needs besides its variables.

    data: the files of DATA_DIR. flight: what rocket.sh has made. init: the variables of its initial
    weights. packages: those that a later command loads. disk: as much as the plan foretells.
    adapts: the weights are finished models, and no labels are needed.
    """

    data: bool = False
    flight: bool = False
    init: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    disk: bool = False
    adapts: bool = False


NEEDS = {
    "rocket.sh": Needs(
        data=True, init=("INIT", "INIT_CROSS"), packages=("faiss", "matplotlib"), disk=True
    ),
    "ablation.sh": Needs(
        data=True, init=("INIT", "INIT_CROSS", "INIT_BERT"), packages=("faiss",), disk=True
    ),
    "figures.sh": Needs(data=True, flight=True, init=("INIT",), packages=("faiss", "matplotlib")),
    "adapt.sh": Needs(
        data=True, init=("INIT", "INIT_CROSS"), packages=("faiss",), disk=True, adapts=True
    ),
    "fuse.sh": Needs(packages=("faiss",)),
    "reproduce_tables.sh": Needs(packages=("matplotlib",)),
}


class Flight(NamedTuple):
    """What is asked about.

    script: its name in run_scripts/. env: the env file, as errors show it. variables: its
    variables, and their values. exported: those whose value is the caller's, not the file's.
    planned: nothing will run (--plan). data_comes: DATA_PREP will make the files of DATA_DIR.
    """

    script: str
    env: str
    variables: Mapping[str, str]
    exported: tuple[str, ...] = ()
    planned: bool = False
    data_comes: bool = False

    @property
    def needs(self) -> Needs:
        """What the script needs; a stage alone needs its variables only."""
        return NEEDS.get(self.script, Needs())


def refused_variables(flight: Flight) -> dict[str, Refusal]:
    """Returns the wrong variables of the flight, each with its refusal."""
    refused = {}
    for name, fault in wrong_variables(flight.variables):
        place = f"{flight.env}: {name}"
        if name in flight.exported:
            place = f"exported variable {name}"
        refused[name] = Refusal(f"{place}: {fault}")
    return refused


def refusals(flight: Flight) -> Iterator[Refusal]:
    """Yields every refusal of the flight. What rests on a wrong variable is not looked at."""
    wrong = refused_variables(flight)
    yield from wrong.values()
    sound = {name: value for name, value in flight.variables.items() if name not in wrong}
    flight = flight._replace(variables=sound)
    yield from refusals_of_the_launcher()
    yield from refusals_of_nodes(sound)
    no_folders = list(refusals_of_folders(sound))
    yield from no_folders
    yield from _refusals_of_files(flight)
    yield from _refusals_of_weights(flight)
    yield from refusals_of_packages(_packages(flight))
    if flight.needs.init:
        yield from refusals_of_gpus(sound)
    if flight.needs.disk and not wrong and not no_folders:
        if flight.needs.adapts:
            yield from refusals_of_disk(below_adapted(sound), AdaptationPlan)
        else:
            yield from refusals_of_disk(sound)


def _packages(flight: Flight) -> list[str]:
    packages = [*flight.needs.packages]
    if _uses_bm25(flight):
        packages.append("bm25s")
        if _uses_stemmer(flight):
            packages.append("Stemmer")
    return packages


def _uses_bm25(flight: Flight) -> bool:
    if flight.needs.adapts:
        return flight.variables.get("FUSE") == "yes"
    if flight.script == "rocket.sh":
        return "yes" in (flight.variables.get("BASELINES"), flight.variables.get("FUSE"))
    return flight.script == "fuse.sh"


def _uses_stemmer(flight: Flight) -> bool:
    stemmer = flight.variables.get("BM25_STEMMER")
    if stemmer:
        return stemmer != "none"
    return flight.variables.get("CHOOSE") == "yes" and not flight.needs.adapts


def _refusals_of_files(flight: Flight) -> Iterator[Refusal]:
    if flight.needs.data and not flight.data_comes and "DATA_DIR" in flight.variables:
        yield from _refusals_of_data(Path(flight.variables["DATA_DIR"]), flight)
    if flight.needs.flight:
        for path in _files_of_a_flight(flight.variables):
            cure = f"make it with: sh run_scripts/rocket.sh {flight.env}"
            yield from _refusals_of_file(path, cure)


def _refusals_of_data(folder: Path, flight: Flight) -> Iterator[Refusal]:
    """Yields the files of DATA_DIR that are missing, and the first wrong row of the others.

    The collection is read for a plan alone: the first command of a flight reads it, too.
    """
    variables = flight.variables
    readable = []
    adapts = flight.needs.adapts
    names = files_of_adaptation(variables) if adapts else files_of_data(variables)
    for name in names:
        cure = _content_of(name) + _other_split(folder, name, variables)
        if variables.get("DATA_PREP"):
            cure = f"make it with: {variables['DATA_PREP']}"
        refused = list(_refusals_of_file(folder / name, cure))
        yield from refused
        if not refused and name != variables.get("STAGE_1_RUN"):
            readable.append(name)
    together = [name for name in readable if name in TOGETHER]
    alone = [[name] for name in readable if name not in TOGETHER]
    if not flight.planned:
        alone = [names for names in alone if names != ["collection.tsv"]]
    for names in filter(None, [together, *alone]):
        yield from _refusals_of_rows(folder, names)


def _refusals_of_rows(folder: Path, names: list[str]) -> Iterator[Refusal]:
    """Yields the first wrong row of files of one kind."""
    kind, _, split = names[0].partition(".")
    reader = READERS.get(kind)
    if kind == "qrels":
        reader = partial(read_qrels, check=Check(query_ids=_queries(folder / f"queries.{split}")))
    if reader:
        try:
            reader(*[folder / name for name in names])
        except DataError as error:
            yield Refusal(str(error))


def _queries(path: Path) -> Container[str] | None:
    """Returns the ids of a file of queries; None where it is wrong, which another line says."""
    try:
        return read_queries(path)
    except DataError:
        return None


def files_of_data(variables: Mapping[str, str]) -> list[str]:
    """Returns the files of DATA_DIR that the stages and the evaluation read."""
    names = ["collection.tsv", "queries.train.tsv", "qrels.train.tsv"]
    if not goes_without_unlabelled(variables):
        names.append("queries.unlabelled.tsv")
    if variables.get("POSITIVES") == "answers":
        names.append("answers.train.tsv")
    if variables.get("STAGE_1_RUN"):
        names.append(variables["STAGE_1_RUN"])
    if "EVALUATE_SPLIT" in variables:
        split = variables["EVALUATE_SPLIT"]
        judgements = "answers" if variables.get("EVALUATE_BY") in JUDGED_BY_ANSWERS else "qrels"
        names += [f"queries.{split}.tsv", f"{judgements}.{split}.tsv"]
    return list(dict.fromkeys(names))


def files_of_adaptation(variables: Mapping[str, str]) -> list[str]:
    """Returns the files of DATA_DIR that adapt.sh reads; labels only where they are there."""
    return [*FILES, *judgement_files(variables)]


def _other_split(folder: Path, name: str, variables: Mapping[str, str]) -> str:
    """Returns what else can be measured where the queries of EVALUATE_SPLIT are missing."""
    split = variables.get("EVALUATE_SPLIT")
    if name != f"queries.{split}.tsv":
        return ""
    for path in sorted(folder.glob("qrels.*.tsv")):
        other = split_of(path)
        if other not in ("train", split) and (folder / f"queries.{other}.tsv").exists():
            return f"; with EVALUATE_SPLIT={other} those of queries.{other}.tsv are measured"
    return "; data_prep/split_labelled.py sets some of your labelled queries apart"


def _content_of(name: str) -> str:
    kind = name.split(".")[0]
    if kind not in COLUMNS:
        return "it is a run of the training queries"
    return f"its columns are {COLUMNS[kind]}"


def _files_of_a_flight(variables: Mapping[str, str]) -> Iterator[Path]:
    """Yields the files of a finished flight that figures.sh reads."""
    if "CHECKPOINT_DIR" in variables:
        for model in DUAL_ENCODERS:
            yield Path(variables["CHECKPOINT_DIR"], model, "train_log.tsv")
    if "OUTPUT_DIR" in variables:
        names = ["examples.dual.0.tsv", "examples.dual.1.tsv", "examples.augmented.tsv"]
        names += [f"{model}.measures.tsv" for model in DUAL_ENCODERS]
        for name in names:
            yield Path(variables["OUTPUT_DIR"], name)


def _refusals_of_file(path: Path, cure: str) -> Iterator[Refusal]:
    """Yields why a file cannot be read. cure: how to get it."""
    fault = file_fault(path)
    if fault is None and path.stat().st_size:
        return
    line = str(fault) if fault else f"{path}: expected rows, got an empty file"
    yield Refusal(f"{line}; {' '.join(cure.split())}")


def _refusals_of_weights(flight: Flight) -> Iterator[Refusal]:
    for name in flight.needs.init:
        source = flight.variables.get(name)
        if not source or _comes_with_the_data(source, flight):
            continue
        try:
            try_weights = try_finished_model if flight.needs.adapts else try_initial_weights
            try_weights(source, name, flight.variables, flight.planned)
        except DataError as error:
            of_machine = flight.planned and isinstance(error, MissingPackage)
            yield Refusal(f"{name}: {error}", of_machine)


def _comes_with_the_data(source: str, flight: Flight) -> bool:
    """Returns whether DATA_PREP may make these weights: they would lie in DATA_DIR."""
    if not flight.data_comes or Path(source).exists() or "DATA_DIR" not in flight.variables:
        return False
    data = Path(flight.variables["DATA_DIR"]).absolute()
    return data in Path(source).absolute().parents
