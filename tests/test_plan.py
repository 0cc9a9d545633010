"""`rocket.sh --plan` prints the commands and the arithmetic of the paper, and runs nothing."""

import re

import pytest
from script_runs import ROOT, folders_below, run_script, variable_values
from toy_files import write_tiny_flight

from rocketqa.cli.__main__ import main
from rocketqa.files.errors import DataError
from rocketqa.training.plan import PipelinePlan
from rocketqa.training.step_memory import parameters_of
from rocketqa.weights.architectures import KNOWN

MODELS = ("dual_encoder_0", "cross_encoder", "dual_encoder_1", "dual_encoder_2")


def plan(env: str, **variables: str) -> list[str]:
    """Returns the lines of the plan of an env file."""
    inputs = {"DATA_DIR": "nowhere"} | variables
    done = run_script("rocket.sh", f"run_scripts/{env}.env", "--plan", **inputs)
    return done.stdout.splitlines()


def costs(env: str, **variables: str) -> list[str]:
    """Returns the lines of `rocketqa plan` alone, which print the costs."""
    values = variable_values(ROOT / f"run_scripts/{env}.env") | {"DATA_DIR": "nowhere"}
    return list(PipelinePlan(values | variables).lines())


def line_of(lines: list[str], begin: str) -> str:
    """Returns the first line that begins so."""
    return next(line.strip() for line in lines if line.strip().startswith(begin))


def test_the_steps_of_ms_marco_are_the_papers():
    # 532,761 positives x 4 rows are 520 steps of 4,096 rows an epoch: "20K / 5K steps" (figure 4).
    lines = plan("marco")
    stage_1 = line_of(lines, "train dual_encoder_0")
    assert "2,131,044 rows / (512 x 8 = 4,096) = 520 steps x 40 epochs = 20,800" in stage_1
    assert "520 steps x 10 epochs = 5,200" in line_of(lines, "train dual_encoder_1")
    assert "9,939 steps x 2 epochs = 19,878" in line_of(lines, "train cross_encoder")
    assert "502,939,000 lines" in line_of(lines, "retrieve for train")
    assert lines[-1].endswith(
        "hours: unknown, RATES names no rate (measure: rocketqa benchmark speed)"
    )


def test_the_steps_of_natural_questions_are_the_papers():
    lines = plan("nq")
    stage_1 = line_of(lines, "train dual_encoder_0")
    assert "58,812 rows / (512 x 2 = 1,024) = 57 steps x 30 epochs = 1,710" in stage_1
    stage_2 = line_of(lines, "train cross_encoder")
    assert "64 x 1 = 64) = 1,837 steps x 2 epochs = 3,674" in stage_2
    assert any("--answers nowhere/answers.train.tsv" in line for line in lines)
    evaluations = [line for line in lines if line.startswith("rocketqa evaluate")]
    assert any("answers.test.tsv" in line for line in evaluations)


@pytest.mark.parametrize("devices, chunks", [("4", "2"), ("2", "4"), ("1", "8")])
def test_fewer_gpus_take_the_same_batches_and_as_much_longer(devices, chunks):
    rates = "train=1000 cross=100 encode=2000 score=500"
    full = line_of(costs("marco", RATES=rates), "train dual_encoder_0")
    fewer_gpus = {"DEVICES": devices, "ACCUMULATE": chunks}
    fewer = line_of(costs("marco", RATES=rates, **fewer_gpus), "train dual_encoder_0")
    batch = f"(512 x {devices} x {chunks} chunks = 4,096)"
    assert f"{batch} = 520 steps x 40 epochs = 20,800" in fewer
    # 2,131,044 x 40 rows / 1,000 a second / 3,600 = 23.68 hours of one device.
    assert "3.0 h on 8 devices" in full
    assert f"{23.68 / int(devices):.1f} h on {devices} devices" in fewer


def test_every_command_is_planned_once_and_nothing_is_made(tmp_path):
    lines = plan("marco", DETERMINISTIC="yes", **folders_below(tmp_path))
    commands = [line for line in lines if "rocketqa " in line and " --" in line]
    assert len(set(commands)) == len(commands) >= 30
    assert not list(tmp_path.iterdir())
    assert not [line for line in commands if "--batch-tokens" in line]
    made = {line.split("--output ")[1].split()[0] for line in commands}
    assert {f"{tmp_path}/c/{model}" for model in MODELS} <= made
    launcher = "python -m rocketqa.distributed.launch 8 rocketqa "
    trainings = [line for line in commands if "train-dual-encoder" in line]
    assert all(line.startswith(launcher) for line in trainings)
    trainings += [line for line in commands if "train-cross-encoder" in line]
    assert all(" --deterministic" in line for line in trainings)


def test_texts_are_tokenised_once_and_the_tokens_of_a_batch_reach_every_reader(tmp_path):
    lines = plan("nq", BATCH_TOKENS="100000", **folders_below(tmp_path))
    assert "GiB of disk" in line_of(lines, "tokenise:")
    commands = [line for line in lines if line.startswith("rocketqa tokenize")]
    made = [line.split("--output ")[1].split()[0] for line in commands]
    assert len(set(made)) == len(made) == 8  # four files for each kind of model
    readers = [line for line in lines if re.search(r"rocketqa (train-|encode|score) ?", line)]
    assert len(readers) > 8
    for line in readers:
        kind = "cross" if re.search("rocketqa (train-cross|score)", line) else "dual"
        texts = re.findall(r"--(?:queries|collection) (\S+)", line)
        assert texts and set(texts) <= set(made), line
        assert all(f"/tokens.{kind}/" in path for path in texts), line
        is_training = "rocketqa train-" in line
        assert ("--batch-tokens 100000" in line) != is_training, line


def test_a_fused_search_is_planned_with_its_held_out_queries(tmp_path):
    assert not [line for line in costs("own", FUSE="no") if line.startswith("fusion")]
    (tmp_path / "queries.train.tsv").write_text("q\ttext\n" * 2000)
    (tmp_path / "queries.dev.tsv").write_text("q\ttext\n" * 300)
    lines = costs("own", DATA_DIR=str(tmp_path))
    fusion = lines[lines.index("fusion:") + 1 :]
    expected = "score for the held-out queries: 200 queries x 20 = 4,000 pairs"
    assert line_of(fusion, "score for the held-out").startswith(expected)
    assert "300 queries x 20 = 6,000 pairs" in line_of(fusion, "score for dev")


def test_the_choice_of_the_start_is_planned_where_something_is_to_be_chosen(tmp_path):
    (tmp_path / "queries.train.tsv").write_text("q\ttext\n" * 800)
    (tmp_path / "collection.tsv").write_text("p\t\ttext\n" * 9000)
    data = {"DATA_DIR": str(tmp_path), "RATES": "encode=100"}
    lines = costs("own", **data)
    assert line_of(lines, "train cross_encoder, at most: ")
    choice = lines[lines.index("choice of the start:") + 1]
    assert "500 queries and 2,500 passages, at most 4 times; 0.0 h on 1 devices" in choice
    fixed = {"REPRESENTATION": "mean", "SIMILARITY": "cosine", "PASSAGE_LENGTHS": ""}
    for variables in (fixed, {"CHOOSE": "no"}):
        assert "choice of the start:" not in costs("own", **data, **variables)
    for open_name in ("SIMILARITY", "PASSAGE_LENGTHS"):
        left = {name: value for name, value in fixed.items() if name != open_name}
        assert "choice of the start:" in costs("own", **data, **left)


def test_files_that_exist_are_counted(tmp_path):
    (tmp_path / "qrels.train.tsv").write_text("q1\t0\tp1\t1\n" * 3000)
    lines = costs("marco", DATA_DIR=str(tmp_path))
    assert "qrels.train 3,000 (counted)" in line_of(lines, "rows: ")
    arithmetic = line_of(lines, "train dual_encoder_0").split("; ")[0]
    expected = "12,000 rows / (512 x 8 = 4,096) = 2 steps x 40 epochs = 80"
    assert arithmetic.endswith(expected)


def test_epochs_with_too_few_steps_are_planned_on_to_min_steps(tmp_path):
    (tmp_path / "qrels.train.tsv").write_text("q1\t0\tp1\t1\n" * 3000)
    rates = "train=1 cross=1 encode=1 score=1"
    lines = costs("marco", DATA_DIR=str(tmp_path), MIN_STEPS="100", RATES=rates)
    stage_1 = line_of(lines, "train dual_encoder_0")
    assert " x 40 epochs = 80, then on to 100;" in stage_1
    # 100 x 4,096 rows / 1 a second / 8 / 3,600
    assert "; 14.2 h on 8 devices" in stage_1


def test_a_rate_that_is_not_a_number_is_refused():
    with pytest.raises(DataError) as error:
        PipelinePlan({"RATES": "fast", "DATA_DIR": "x"})
    assert str(error.value) == (
        "RATES: expected words NAME=NUMBER of train, cross, encode, score, each once, got fast"
    )


@pytest.mark.parametrize(
    "changed, fault",
    [
        ({"INIT": None}, "INIT: expected a value, got none (run_scripts/toy.env explains every"),
        ({"QUERY_LENGTH": "two"}, "QUERY_LENGTH: expected 8 to 512 tokens, got two"),
        ({"DUAL_NEGATIVES": "-1"}, "DUAL_NEGATIVES: expected a whole number from 1, got -1"),
    ],
)
def test_a_plan_that_cannot_be_made_is_one_line_and_prints_nothing(changed, fault, capsys):
    values = variable_values(ROOT / "run_scripts/toy.env") | changed
    words = [f"{name}={value}" for name, value in values.items() if value is not None]
    assert main(["plan", *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"rocketqa plan: {fault}")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    "name, value, fault",
    [
        ("BATCH_SIZE", "two", "expected a whole number from 1, got two"),
        ("BATCH_SIZE", "0", "expected a whole number from 1, got 0"),
        ("BATCH_SIZE_CROSS", "-4", "expected a whole number from 1, got -4"),
        ("DEVICES", "", "expected a whole number from 1, got an empty text"),
        ("DEVICES_INFERENCE", "0", "expected a whole number from 1, got 0"),
        ("ACCUMULATE", "1.5", "expected a whole number from 1, got 1.5"),
        ("EPOCHS_1", "-1", "expected a whole number from 0, got -1"),
        ("MIN_STEPS", "nan", "expected a whole number from 0, got nan"),
        ("MAX_STEPS", "0", "expected a whole number from 1, got 0"),
        ("RETRIEVE_DEPTH", "1e3", "expected a whole number from 1, got 1e3"),
        ("DUAL_NEGATIVES", "none", "expected a whole number from 1, got none"),
        ("HELD_OUT", "-1", "expected a whole number from 0, got -1"),
        ("RATES", "train=0", "train: expected a finite number above 0, got 0"),
        ("ROWS", "collection=-1", "collection: expected a whole number from 0, got -1"),
    ],
)
def test_a_value_that_a_variable_cannot_have_is_one_line(name, value, fault):
    env = (ROOT / "run_scripts/toy.env").read_text()
    given = dict(re.findall(r"^([A-Z][A-Z0-9_]*)=([^'\"\n]*)$", env, re.MULTILINE))
    with pytest.raises(DataError) as error:
        list(PipelinePlan(given | {"FUSE": "yes", name: value}).lines())
    assert str(error.value) == f"{name}: {fault}"


@pytest.mark.parametrize("env", ["marco", "nq"])
def test_a_plan_begins_with_the_data_and_ends_with_a_report_on_all_models(env):
    lines = plan(env, ROCKETQA_READY="")
    assert lines[0].startswith("python data_prep/")
    report = line_of(lines, "rocketqa report --measures")
    for model in ("data", *MODELS):
        assert f"/{model}.measures.tsv" in report
    assert "/queries.train.tsv" in line_of(lines, "rocketqa statistics").split("--queries")[1]
    assert "--by-rank" in report
    assert "/dual_encoder_2/train_log.tsv" in report


@pytest.mark.parametrize(
    "variables, stage_1",
    [
        ({"MAX_STEPS": "100"}, "20,800, of which 100 are taken (MAX_STEPS);"),
        ({"MAX_STEPS": "30000"}, "20,800;"),
        ({"EPOCHS_1": "0", "MIN_STEPS": "50"}, "520 steps x 0 epochs = 0;"),
        ({"MIN_STEPS": "30000"}, "20,800, then on to 30,000;"),
    ],
)
def test_the_plan_counts_the_steps_that_a_training_takes(variables, stage_1):
    line = line_of(costs("marco", **variables), "train dual_encoder_0")
    assert stage_1 in line


def test_planned_hours_are_those_of_the_steps_that_are_taken():
    rates = "train=1 cross=1 encode=1 score=1"
    line = line_of(costs("marco", MAX_STEPS="100", RATES=rates), "train dual_encoder_0")
    assert "; 14.2 h on 8 devices" in line  # 100 x 4,096 rows / 8 / 3,600


def test_a_plan_foretells_the_memory_of_a_step(tmp_path):
    write_tiny_flight(tmp_path)
    lines = costs("marco", INIT_CROSS=str(tmp_path / "init"))
    begin = lines.index("memory of a step on a GPU, where all texts have the full length:")
    memory, batches, kept, _, of_cross, _ = lines[begin + 1 : begin + 7]
    assert memory.startswith(
        "  dual encoder, RECOMPUTE=yes: 15.3 GiB = 3.3 for weights, gradients and moments + "
    )
    assert kept.startswith("  dual encoder, RECOMPUTE=no: ")
    assert batches.startswith(
        "  dual encoder, RECOMPUTE=yes: largest batch on a device of 16 GiB: "
    )
    assert of_cross.startswith("  cross encoder: 0.0 GiB = 0.0 for weights")


def test_the_plan_of_unknown_weights_has_no_memory(tmp_path):
    inputs = {"DATA_DIR": "nowhere", "INIT": str(tmp_path)}
    variables = variable_values(ROOT / "run_scripts/marco.env") | inputs
    lines = list(PipelinePlan(variables).lines())
    assert line_of(
        lines, "dual encoder, RECOMPUTE=yes: unknown, because INIT is neither a folder with"
    )


def test_the_disk_of_a_flight_is_that_of_its_lines(tmp_path):
    names = {"INIT": "ernie-2.0-base-en", "INIT_CROSS": "ernie-2.0-large-en"}
    variables = variable_values(ROOT / "run_scripts/marco.env") | names
    outputs, checkpoints = PipelinePlan(variables | {"DATA_DIR": str(tmp_path)}).disk()
    # Three dual encoders of two towers, and the cross encoder, in float32.
    base, large = map(parameters_of, KNOWN.values())
    assert checkpoints == (3 * 2 * base + large) * 4
    # Vectors of 768 numbers, and lines of runs.
    texts = 3 * 8_841_823 + 502_939 + 1_700_000 + 6_980
    lines = 1000 * (502_939 + 6_980) + 50 * (502_939 + 2 * 1_700_000 + 6_980)
    tokens = 2 * (8_841_823 * 190 + (502_939 + 1_700_000 + 6_980) * 50)
    assert outputs == texts * 768 * 4 + lines * 45 + tokens


def test_the_stage_beyond_the_paper_is_planned_where_it_is_asked_for(tmp_path):
    assert not [line for line in costs("marco") if "dual_encoder_3" in line or "stage 5" in line]
    rates = "train=1 cross=1 encode=1 score=1"
    lines = costs("marco", DISTIL="yes", RATES=rates)
    begin = lines.index("stage 5, beyond the paper:")
    encoding, _, labelled, _, unlabelled, training = lines[begin + 1 : begin + 7]
    assert encoding.startswith("  encode with dual_encoder_2: 8,841,823 passages and 502,939 ")
    assert "502,939 queries x 8 = 4,023,512 pairs" in labelled
    assert "1,700,000 queries x 8 = 13,600,000 pairs" in unlabelled
    # (532,761 + 1,700,000) rows; 2,180 x 1,024 rows of 9 texts, at a row of three a second.
    assert "2,232,761 rows / (128 x 8 = 1,024) = 2,180 steps x 1 epochs = 2,180;" in training
    assert training.endswith("; 232.5 h on 8 devices")
    assert "encode with dual_encoder_3" in line_of(lines, "encode with dual_encoder_3")
    assert line_of(lines, "dual encoder, stage 5: ")
    below = folders_below(tmp_path)
    planned = plan("marco", DISTIL="yes", **below)
    [distilled] = [line for line in planned if "--teacher " in line]
    assert f" --init {tmp_path}/c/dual_encoder_2 " in distilled
    assert "--teacher-retriever" not in distilled
    both = " ".join(plan("marco", DISTIL="yes", DISTIL_TEACHER="mean", **below))
    assert both.count(f" --teacher-retriever {tmp_path}/o/dual_encoder_2.train.run /") == 1
    report = line_of(planned, "rocketqa report --measures")
    assert "/dual_encoder_3.measures.tsv" in report and "/dual_encoder_3/train_log.tsv" in report
    scored = [line for line in planned if " score " in line and "dual_encoder_3.dev.run" in line]
    assert len(scored) == 1
