"""What adapt.sh reads, and what it will take: rows, steps, disk, memory and hours."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from rocketqa.training.plan import PipelinePlan
from rocketqa.training.plan_memory import distillation_lines
from rocketqa.training.plan_numbers import Cost

LOG = "queries.unlabelled"
FILES = ("collection.tsv", f"{LOG}.tsv")  # without which nothing can be adapted
FOLDER = "adapted"  # in OUTPUT_DIR and in CHECKPOINT_DIR
HELD_OUT = 500  # queries in the part of the log that is held out, at most a tenth of the log
TENTH = 10
JUDGED_BY_LABELS = "labels"  # all other values of EVALUATE_BY are answers


def judgement_files(variables: Mapping[str, str]) -> list[str]:
    """Returns the files of EVALUATE_SPLIT that the models are measured by, if DATA_DIR has all.

    Otherwise it returns none, and the cross encoder measures the models.
    """
    split = variables.get("EVALUATE_SPLIT", "")
    by_labels = variables.get("EVALUATE_BY") == JUDGED_BY_LABELS
    judgements = "qrels" if by_labels else "answers"
    names = [f"queries.{split}.tsv", f"{judgements}.{split}.tsv"]
    folder = Path(variables["DATA_DIR"])
    return names if all((folder / name).exists() for name in names) else []


def below_adapted(variables: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables with the folders that adapt.sh writes into."""
    changed = dict(variables)
    for name in ("OUTPUT_DIR", "CHECKPOINT_DIR"):
        if name in changed:
            changed[name] = str(Path(changed[name], FOLDER))
    return changed


class AdaptationPlan(PipelinePlan):
    """The plan of one run of adapt.sh. The parts of the log have rows of their own."""

    def __init__(self, variables: Mapping[str, str]):
        super().__init__(variables)
        log = self.rows[LOG]
        held_out = min(log, max(1, min(HELD_OUT, log // TENTH)))
        self.rows["queries.log_judged"] = held_out
        self.rows["queries.log_train"] = max(0, log - held_out)

    def stages(self) -> Iterator[tuple[str, list[Cost]]]:
        """Yields the name of each step and its costs."""
        split = "log_judged"
        if judgement_files(self.variables):
            split = self.variables["EVALUATE_SPLIT"]
        yield (
            "adaptation",
            [
                self.encoding("start", "log_train"),
                self.retrieval("log_train", "AUGMENT_DEPTH"),
                self.scoring_for_rows("log_train", "AUGMENT_DEPTH"),
                self.distilled("train adapted, at most", self.rows["queries.log_train"]),
            ],
        )
        yield (
            "evaluation",
            [
                self.encoding("adapted", split),
                self.retrieval(split, "RETRIEVE_DEPTH"),
                self.scoring_of_runs(split, 2),
            ],
        )
        if self.variables.get("FUSE") == "yes":
            yield (
                "fusion",
                [
                    self.retrieval(split, "RETRIEVE_DEPTH"),
                    self.scoring_of_runs(split, 2),
                ],
            )

    def scoring_of_runs(self, split: str, runs: int) -> Cost:
        """Returns the cost of scoring the top of several runs of the same queries."""
        queries = runs * self.rows[f"queries.{split}"]
        return self._scoring(f"score for {split}, {runs} runs", queries, "RERANK_DEPTH")

    def memory(self) -> Iterator[str]:
        """Yields the lines about the memory of the one training."""
        name = "dual encoder, adapted"
        yield from distillation_lines(name, self.variables, self._number, self._architecture)
