"""What a run of all stages will take: rows, steps, disk, memory and hours, before anything runs.

It counts the rows of the files that are there, takes the variables of the env file, and counts
steps with the schedule of the trainings themselves. It needs no Paddle.
"""

from collections.abc import Iterator, Mapping
from copy import copy
from pathlib import Path

from rocketqa.encoder.config import ErnieConfig
from rocketqa.evaluation.small_search import DRAWN_PASSAGES
from rocketqa.files.errors import DataError
from rocketqa.files.ranges import ABOVE_0, WHOLE_FROM_0, WHOLE_FROM_1, Range
from rocketqa.training.plan_memory import memory_lines
from rocketqa.training.plan_numbers import (
    Cost,
    count_lines,
    depth_is_chosen,
    goes_without_unlabelled,
    parse_numbers,
    tokens_on_disk,
    total_line,
)
from rocketqa.training.schedule import Schedule
from rocketqa.training.step_memory import parameters_of
from rocketqa.weights.architectures import architecture_of

FILES = (
    "collection",
    "queries.train",
    "qrels.train",
    "queries.dev",
    "queries.test",
    "queries.unlabelled",
)
TRAINING_RATES = ("train", "cross")
RATES = (*TRAINING_RATES, "encode", "score")
BYTES_A_RUN_LINE = 45
DRAWN_QUERIES = 500  # training queries that choices are measured on
BYTES_A_NUMBER = 4  # float32


class PipelinePlan:
    """The plan of one run of all stages.

    variables: those of the env file, by name. Raises DataError where the value of one is wrong, as
    the methods do.
    """

    def __init__(self, variables: Mapping[str, str]):
        self.variables = dict(variables)
        self.rates = parse_numbers(variables.get("RATES", ""), RATES, "RATES", ABOVE_0)
        expected = parse_numbers(variables.get("ROWS", ""), FILES, "ROWS", WHOLE_FROM_0)
        self.rows: dict[str, int] = {}
        self.sources: dict[str, str] = {}  # how the rows of a file are known
        for name in FILES:
            counted = count_lines(Path(variables["DATA_DIR"]) / f"{name}.tsv")
            self.rows[name] = counted or int(expected.get(name, 0))
            if self.rows[name]:
                self.sources[name] = "counted" if counted else "expected"

    def _number(self, name: str, range: Range = WHOLE_FROM_1) -> int:
        try:
            return int(range.read(self.variables.get(name, "")))
        except ValueError as error:
            raise DataError(f"{name}: {error}") from None

    def schedule(self, rows: int, epochs: str, suffix: str = "") -> Schedule:
        """Returns the schedule of a training.

        suffix: the ending of its variables: "" for a dual encoder, "_CROSS" for the cross encoder.
        """
        max_steps = self._number("MAX_STEPS") if self.variables.get("MAX_STEPS") else None
        return Schedule(
            examples=rows,
            batch_size=self._number(f"BATCH_SIZE{suffix}"),
            devices=self._number(f"DEVICES{suffix}"),
            chunks=self._number(f"ACCUMULATE{suffix}"),
            epochs=self._number(epochs, WHOLE_FROM_0),
            min_steps=self._number(f"MIN_STEPS{suffix}", WHOLE_FROM_0),
            max_steps=max_steps,
        )

    def training(self, what: str, rows: int, epochs: str, suffix: str = "") -> Cost:
        """Returns the cost of a training over so many rows."""
        schedule = self.schedule(rows, epochs, suffix)
        arithmetic = (
            f"{rows:,} rows / ({schedule.factors()} = {schedule.batch:,}) = "
            f"{schedule.steps_per_epoch:,} steps x {schedule.epochs} epochs = "
            f"{schedule.steps_of_epochs:,}"
        )
        if schedule.total_steps > schedule.steps_of_epochs:
            arithmetic += f", then on to {schedule.total_steps:,}"
        if schedule.total_steps < schedule.steps_of_epochs:
            arithmetic += f", of which {schedule.total_steps:,} are taken (MAX_STEPS)"
        config = self._architecture(f"INIT{suffix}")
        towers = 1 if suffix else 2
        parameters = towers * parameters_of(config) if config else 0
        work = schedule.total_steps * schedule.batch
        rate = "cross" if suffix else "train"
        checkpoint = parameters * BYTES_A_NUMBER
        return Cost(what, arithmetic, work, rate, schedule.devices, checkpoint)

    def _architecture(self, init: str) -> ErnieConfig | None:
        return architecture_of(self.variables[init])

    def encoding(self, model: str, split: str) -> Cost:
        """Returns the cost of encoding the collection and the queries of a split."""
        queries = self.rows[f"queries.{split}"]
        passages = self.rows["collection"]
        config = self._architecture("INIT")
        size = config.hidden_size if config else 0
        arithmetic = f"{passages:,} passages and {queries:,} queries"
        if size:
            arithmetic += f", {size} x {BYTES_A_NUMBER} bytes each"
        texts = passages + queries
        devices = self._number("DEVICES_INFERENCE")
        disk = texts * size * BYTES_A_NUMBER
        return Cost(f"encode with {model}", arithmetic, texts, "encode", devices, disk)

    def retrieval(self, split: str, depth: str) -> Cost:
        """Returns the cost of the run of a split."""
        queries = self.rows[f"queries.{split}"]
        wanted = self._number(depth)
        passages = self.rows["collection"]
        lines = queries * (min(wanted, passages) if passages else wanted)
        arithmetic = f"{queries:,} queries x {wanted:,} = {lines:,} lines"
        return Cost(f"retrieve for {split}", arithmetic, disk=lines * BYTES_A_RUN_LINE)

    def scoring(self, split: str, depth: str) -> Cost:
        """Returns the cost of scoring the top of a run with the cross encoder."""
        return self._scoring(f"score for {split}", self.rows[f"queries.{split}"], depth)

    def _scoring(self, what: str, queries: int, depth: str) -> Cost:
        pairs = queries * self._number(depth)
        arithmetic = f"{queries:,} queries x {self._number(depth):,} = {pairs:,} pairs"
        devices = self._number("DEVICES_INFERENCE")
        disk = pairs * BYTES_A_RUN_LINE
        return Cost(what, arithmetic, pairs, "score", devices, disk)

    def scoring_for_rows(self, split: str, depth: str) -> Cost:
        """Returns the cost of scoring a run for training rows; no pair is scored twice."""
        at_most = ", at most" if depth_is_chosen(self.variables) else ""
        return self._scoring(f"score for {split}{at_most}", self.rows[f"queries.{split}"], depth)

    def choice_of_start(self) -> list[Cost]:
        """Returns the cost of measuring the initial weights with each representation and with each
        further length, at most.
        """
        queries = min(self.rows["queries.train"], DRAWN_QUERIES)
        passages = min(self.rows["collection"], queries + DRAWN_PASSAGES)
        times = 2 + len(self.variables.get("PASSAGE_LENGTHS", "").split())
        arithmetic = f"{queries:,} queries and {passages:,} passages, at most {times} times"
        work, devices = times * (queries + passages), self._number("DEVICES_INFERENCE")
        return [Cost("encode with the initial weights", arithmetic, work, "encode", devices)]

    def fusion(self, split: str) -> list[Cost]:
        """Returns the costs of BM25 and the last model together, at most (fuse.sh)."""
        held_out = min(self._number("HELD_OUT", WHOLE_FROM_0), self.rows["queries.train"])
        return [
            self._scoring("score for the held-out queries", held_out, "RERANK_DEPTH"),
            self.retrieval(split, "RETRIEVE_DEPTH"),
            self.scoring(split, "RERANK_DEPTH"),
        ]

    def stages(self) -> Iterator[tuple[str, list[Cost]]]:
        """Yields the name of each stage and its costs."""
        positives = self.rows["qrels.train"]
        queries = self.rows["queries.train"]
        rows_a_positive = self._number("DUAL_NEGATIVES")
        by_answers = self.variables["POSITIVES"] == "answers"
        labelled = positives * rows_a_positive
        mined = queries * rows_a_positive if by_answers else labelled
        relevant_pairs = queries if by_answers else positives
        pairs = relevant_pairs + queries * self._number("CROSS_NEGATIVES")
        augmented = self.rows["queries.unlabelled"] * rows_a_positive
        split = self.variables["EVALUATE_SPLIT"]
        at_most = "" if self.variables.get("HELD_OUT", "0") == "0" else ", at most"
        if self.variables.get("TOKENISE") == "yes":
            arithmetic, disk = tokens_on_disk(self.rows)
            yield "tokens", [Cost("tokenise", arithmetic, disk=disk)]
        are_set = self.variables.get("REPRESENTATION") and self.variables.get("SIMILARITY")
        is_open = not are_set or self.variables.get("PASSAGE_LENGTHS")
        if is_open and self.variables.get("CHOOSE") == "yes":
            yield "choice of the start", self.choice_of_start()
        yield "stage 1", [self.training("train dual_encoder_0", labelled, "EPOCHS_1")]
        yield (
            "stage 2",
            [
                self.encoding("dual_encoder_0", "train"),
                self.retrieval("train", "RETRIEVE_DEPTH"),
                *self.easy_training(positives, queries, at_most),
                self.training(f"train cross_encoder{at_most}", pairs, "EPOCHS_CROSS", "_CROSS"),
            ],
        )
        scoring = self.scoring_for_rows("train", "DENOISE_DEPTH")
        training = self.training("train dual_encoder_1, at most", mined, "EPOCHS_3")
        yield "stage 3", [scoring, training]
        last = "dual_encoder_1"
        if not goes_without_unlabelled(self.variables):
            last = "dual_encoder_2"
            yield (
                "stage 4",
                [
                    self.encoding("dual_encoder_1", "unlabelled"),
                    self.retrieval("unlabelled", "AUGMENT_DEPTH"),
                    self.scoring_for_rows("unlabelled", "AUGMENT_DEPTH"),
                    self.training("train dual_encoder_2, at most", mined + augmented, "EPOCHS_4"),
                ],
            )
        if self.variables.get("DISTIL") == "yes":
            yield "stage 5, beyond the paper", self.distillation(last, relevant_pairs)
            last = "dual_encoder_3"
        yield (
            "evaluation",
            [
                self.encoding(last, split),
                self.retrieval(split, "RETRIEVE_DEPTH"),
                self.scoring(split, "RERANK_DEPTH"),
            ],
        )
        if self.variables.get("FUSE") == "yes":
            yield "fusion", self.fusion(split)

    def easy_training(self, positives: int, queries: int, at_most: str) -> Iterator[Cost]:
        """Yields the cost of the cross encoder's first training, on random negatives."""
        if self.variables.get("EASY_STEPS_CROSS", "0") != "0":
            limit = self.variables.get("MAX_STEPS") or self.variables["EASY_STEPS_CROSS"]
            steps = str(min(int(limit), self._number("EASY_STEPS_CROSS")))
            stage = copy(self)
            stage.variables = self.variables | {"MIN_STEPS_CROSS": steps, "MAX_STEPS": steps}
            pairs = positives + queries * self._number("CROSS_NEGATIVES")
            what = f"train cross_encoder_easy{at_most}"
            yield stage.training(what, pairs, "EPOCHS_CROSS", "_CROSS")

    def distillation(self, last: str, labelled: int) -> list[Cost]:
        """Returns the costs of stage 5 from the last model; labelled: rows of labelled queries."""
        candidates = str(1 + self._number("DISTIL_NEGATIVES"))
        stage = copy(self)
        stage.variables = self.variables | {"CANDIDATES": candidates}
        rows = labelled + self.rows["queries.unlabelled"]
        costs = [
            self.encoding(last, "train"),
            self.retrieval("train", "DISTIL_DEPTH"),
            stage.scoring("train", "CANDIDATES"),
        ]
        if not goes_without_unlabelled(self.variables):
            costs.append(stage.retrieval("unlabelled", "CANDIDATES"))
            costs.append(stage.scoring("unlabelled", "CANDIDATES"))
        return [*costs, self.distilled("train dual_encoder_3, at most", rows)]

    def distilled(self, what: str, rows: int) -> Cost:
        """Returns the cost of a distillation over so many rows.

        A row has DISTIL_NEGATIVES + 2 texts, where a row of the other stages has three.
        """
        stage = copy(self)
        stage.variables = self.variables | {"BATCH_SIZE": self.variables["BATCH_SIZE_5"]}
        training = stage.training(what, rows, "EPOCHS_5")
        texts = self._number("DISTIL_NEGATIVES") + 2
        return training._replace(work=training.work * texts / 3)

    def disk(self) -> tuple[float, float]:
        """Returns the bytes that are written into OUTPUT_DIR, and those into CHECKPOINT_DIR."""
        outputs = checkpoints = 0.0
        for _, costs in self.stages():
            for cost in costs:
                if cost.rate in TRAINING_RATES:
                    checkpoints += cost.disk
                else:
                    outputs += cost.disk
        return outputs, checkpoints

    def hours(self, cost: Cost) -> float | None:
        """Returns the hours of a step on its devices; None where its rate is not known."""
        if cost.rate not in self.rates:
            return None
        return cost.work / self.rates[cost.rate] / cost.devices / 3600

    def lines(self) -> Iterator[str]:
        """Yields the lines of the plan."""
        counts = [f"{name} {self.rows[name]:,} ({how})" for name, how in self.sources.items()]
        yield f"rows: {', '.join(counts)}"
        all_costs = []
        for stage, costs in self.stages():
            yield f"{stage}:"
            for cost in costs:
                yield f"  {cost.line(self.hours(cost))}"
            all_costs += costs
        yield "memory of a step on a GPU, where all texts have the full length:"
        for line in self.memory():
            yield f"  {line}"
        yield total_line(all_costs, [self.hours(cost) for cost in all_costs if cost.rate])

    def memory(self) -> Iterator[str]:
        """Yields the lines about the memory of the trainings."""
        yield from memory_lines(self.variables, self._number, self._architecture)
