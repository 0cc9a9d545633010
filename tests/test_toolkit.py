"""Code written for the released `rocketqa` package runs, and answers as its models did."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from types import GeneratorType

import numpy as np
import pytest
from ask_released_package import TRAINED, answers
from released_fixture import PACKAGE, ReleasedFixture

import rocketqa
from rocketqa import toolkit
from rocketqa.files.errors import DataError

QUERY = ["when is the dog home", "the cat sat"]
PARA = ["the dog ran home", "the cat sat on a mat far home on a mat"]
TITLE = ["dog", "a cat"]
SIX = "".join(
    f"{query}\t{title}\t{text}\t-\t{other}\t0\n"
    for query, title, text, other in (
        ("the cat", "", "a cat sat", "the dog ran"),
        ("the dog", "dog", "the dog ran home", "a mat"),
        ("when is far", "-", "far is the mat", "cat"),
        ("a mat", "mat", "on the mat", "dog home"),
    )
    for _ in range(2)
)
FOUR = "".join(
    f"{query}\t{title}\t{text}\t{label}\n"
    for query, title, text, label in (
        ("the cat", "", "a cat sat", 1),
        ("the cat", "-", "the dog ran", 0),
        ("the dog", "dog", "ran home", 1),
        ("a mat", "mat", "far is the dog", 0),
    )
    for _ in range(2)
)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """Small models in the released layout, by the names that they have in the cache."""
    cache = tmp_path_factory.mktemp("cache")
    return {
        name: ReleasedFixture(cache / name, kind)
        for name, kind in {
            "v1_marco_de": "separate",
            "pair_marco_de": "shared",
            "v1_marco_ce": "cross",
            "v2_marco_ce": "joint",
            "zh_dureader_de_v2": "zh separate",
            "zh_dureader_ce_v2": "zh cross",
        }.items()
    }


@pytest.fixture(autouse=True)
def cache(released, monkeypatch):
    """The cache that `load_model` looks into."""
    folder = released["v1_marco_de"].folder.parent
    monkeypatch.setenv("ROCKETQA_CACHE", str(folder))
    return folder


def weights_of(encoder) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in encoder.layer.state_dict().items()}


def test_the_calls_have_the_released_signatures():
    assert len(rocketqa.available_models()) == 13 and "v2_nq_de" in rocketqa.available_models()

    def parameters(call):
        return [
            (name, parameter.default)
            for name, parameter in inspect.signature(call).parameters.items()
            if name != "self"
        ]

    empty = inspect.Parameter.empty
    assert parameters(rocketqa.load_model) == [
        ("model", empty),
        ("use_cuda", False),
        ("device_id", 0),
        ("batch_size", 1),
    ]
    assert parameters(toolkit.DualEncoder.encode_query) == [("query", empty)]
    assert parameters(toolkit.DualEncoder.encode_para) == [("para", empty), ("title", ())]
    for kind in (toolkit.DualEncoder, toolkit.CrossEncoder):
        assert parameters(kind.matching) == [("query", empty), ("para", empty), ("title", ())]
        assert parameters(kind.train) == [
            ("train_set", empty),
            ("epoch", empty),
            ("save_model_path", empty),
            ("save_steps", 0),
            ("batch_size", None),
            ("learning_rate", 2e-5),
            ("log_folder", None),
        ]


@pytest.mark.parametrize("name", ["v1_marco_de", "pair_marco_de"])
def test_a_dual_encoder_answers_as_released(released, name):
    dual_encoder = rocketqa.load_model(model=name, use_cuda=False, device_id=0, batch_size=32)
    q_embs = dual_encoder.encode_query(query=QUERY)
    p_embs = dual_encoder.encode_para(para=PARA, title=TITLE)
    assert isinstance(q_embs, GeneratorType) and isinstance(p_embs, GeneratorType)
    q_embs, p_embs = np.array(list(q_embs)), np.array(list(p_embs))
    assert q_embs.dtype == p_embs.dtype == np.float32 and q_embs.shape == p_embs.shape == (2, 8)
    twin = released[name]
    np.testing.assert_allclose(q_embs, [twin.query(text) for text in QUERY], atol=1e-5, rtol=0)
    np.testing.assert_allclose(
        p_embs, [twin.passage(*pair) for pair in zip(PARA, TITLE)], atol=1e-5, rtol=0
    )
    dot_products = dual_encoder.matching(query=QUERY, para=PARA)
    assert isinstance(dot_products, GeneratorType)
    dot_products = list(dot_products)
    assert [type(value) for value in dot_products] == [float, float]
    assert dot_products == pytest.approx(
        [twin.query(q) @ twin.passage(p) for q, p in zip(QUERY, PARA)], abs=1e-4
    )


@pytest.mark.parametrize("name", ["v1_marco_ce", "v2_marco_ce"])
def test_a_cross_encoder_answers_as_released(released, name):
    cross_encoder = rocketqa.load_model(model=name, use_cuda=False, device_id=0, batch_size=32)
    relevance = cross_encoder.matching(query=QUERY, para=PARA, title=TITLE)
    assert isinstance(relevance, GeneratorType)
    assert list(relevance) == pytest.approx(
        list(map(released[name].score, QUERY, PARA, TITLE)), abs=1e-5
    )
    assert list(cross_encoder.matching(QUERY, PARA)) == pytest.approx(
        list(map(released[name].score, QUERY, PARA)), abs=1e-5
    )


@pytest.mark.parametrize("kind", PACKAGE)
def test_code_for_the_released_package_gets_the_answers_that_it_gives_itself(tmp_path, kind):
    """The released package 1.1.0 has run the same code, on Paddle 1.8.5 (tests/ask_released_package.py)."""
    ReleasedFixture(tmp_path / kind, kind, dropout=0.0)
    expected = json.loads(
        (Path(__file__).parent / "released_answers.json").read_text(encoding="utf-8")
    )[kind]
    found = answers(str(tmp_path), kind)
    assert found.keys() == expected.keys() and ("differences after training" in found) == (
        kind == TRAINED
    )
    for call, values in expected.items():
        np.testing.assert_allclose(
            found[call], values, atol=2e-4 if "training" in call else 1e-5, rtol=0, err_msg=call
        )


def test_answers_come_in_order_whatever_the_batch_and_only_when_asked_for(released):
    texts = [text for text in QUERY + PARA for _ in range(3)]
    one, five = (
        np.array(list(rocketqa.load_model("v1_marco_de", batch_size=size).encode_query(texts)))
        for size in (1, 5)
    )
    np.testing.assert_allclose(one, five, atol=1e-6)
    encoder = rocketqa.load_model("v1_marco_de", batch_size=2)
    seen = []
    encoder.layer.query_encoder.register_forward_post_hook(lambda *_: seen.append(1))
    answers = encoder.encode_query(texts)
    assert not seen
    next(answers), next(answers)
    assert len(seen) == 1


def test_a_config_is_found_as_the_released_readme_names_it(cache):
    for path in ("config.json", "config", "", "."):
        assert rocketqa.load_model(f"{cache}/v1_marco_ce/{path}").lengths == {"max_length": 14}
    for none in ("v3", ""):
        with pytest.raises(
            DataError,
            match=rf"^{none}: expected a name of available_models\(\), a config.json or its",
        ):
            rocketqa.load_model(none)


@pytest.mark.parametrize(
    "call, told",
    [
        (
            lambda encoder: encoder.encode_query("the cat"),
            "query: expected a list of texts, got a single text",
        ),
        (
            lambda encoder: encoder.encode_query(None),
            "query: expected a list of texts, got a single NoneType",
        ),
        (
            lambda encoder: encoder.encode_query(["a", "\ud800"]),
            r"query\[1\]: expected a text, got half a character",
        ),
        (
            lambda encoder: encoder.encode_para(["a cat", " "]),
            r"para\[1\]: expected a text, got an empty one",
        ),
        (
            lambda encoder: encoder.encode_para(["a cat", None]),
            r"para\[1\]: expected a text, got NoneType",
        ),
        (
            lambda encoder: encoder.encode_para(["a cat"], ["a", "b"]),
            "title: expected 1, one for each para, or none",
        ),
        (
            lambda encoder: encoder.matching(["a", "b"], ["c"]),
            "para: expected 2, one for each query, got 1",
        ),
    ],
)
def test_what_is_no_list_of_texts_is_refused_at_the_call(call, told):
    with pytest.raises(DataError, match=told):
        call(rocketqa.load_model("v1_marco_de"))


@pytest.mark.parametrize(
    "given, told",
    [
        ({"batch_size": 0}, "batch_size: expected a whole number from 1, got 0"),
        (
            {"use_cuda": True, "device_id": 5000},
            "device_id: expected one of .* GPUs that this Paddle knows, got 5000",
        ),
    ],
)
def test_what_cannot_be_is_told_when_loading(given, told):
    with pytest.raises(DataError, match=told):
        rocketqa.load_model("v1_marco_de", **given)


def test_nothing_happens_at_import_and_the_arguments_of_the_program_are_its_own(cache):
    script = """if True:
        import sys
        sys.argv = ["server.py", "--batch_size", "99", "--do_lower_case", "nonsense", "--help"]
        before = set(sys.modules)
        import rocketqa
        assert not {"paddle", "rocketqa.toolkit"} & set(sys.modules), "the import is heavy"
        import paddle
        paddle.enable_static()
        encoder = rocketqa.load_model("v1_marco_de")
        vectors = list(encoder.encode_query(["the cat"]))
        assert len(vectors[0]) == 8 and encoder.batch_size == 1 and not paddle.in_dynamic_mode()
    """
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_readme_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.tsv").write_text(FOUR)
    (code,) = re.findall(
        r"```python\n(.*?)```", (Path(__file__).parents[1] / "README.md").read_text(), re.DOTALL
    )
    exec(code, {})
    assert (tmp_path / "ce_models" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    "name, rows, texts",
    [
        ("v1_marco_de", SIX, (QUERY, PARA, TITLE)),
        ("pair_marco_de", SIX, (QUERY, PARA, TITLE)),
        ("v1_marco_ce", FOUR, (QUERY, PARA, TITLE)),
        ("zh_dureader_ce_v2", "猫吗\t\t猫 坐\t1\n猫吗\t狗\t很远\t0\n", (["猫吗"], ["狗 跑"])),
    ],
)
def test_a_trained_model_is_loaded_again_as_it_was(tmp_path, name, rows, texts):
    def call(encoder):
        return list(encoder.matching(*texts))

    (tmp_path / "train.tsv").write_text(rows, encoding="utf-8")
    encoder = rocketqa.load_model(model=name, use_cuda=False, device_id=0, batch_size=2)
    before = call(encoder)
    encoder.train(
        str(tmp_path / "train.tsv"),
        2,
        str(tmp_path / "models"),
        save_steps=10,
        learning_rate=1e-2,
        log_folder=str(tmp_path / "log"),
    )
    after = call(encoder)
    assert np.abs(np.subtract(after, before)).max() > 1e-3
    assert len((tmp_path / "log" / "train_log.tsv").read_text().splitlines()) == 1 + rows.count(
        "\n"
    )
    again = rocketqa.load_model(model=f"{tmp_path}/models/config", batch_size=2)
    assert call(again) == after and again.lengths == encoder.lengths
    repeated = rocketqa.load_model(model=name, batch_size=2)
    repeated.train(
        str(tmp_path / "train.tsv"), 2, str(tmp_path / "models"), save_steps=10, learning_rate=1e-2
    )
    assert call(repeated) == after
    encoder.train(str(tmp_path / "train.tsv"), 1, str(tmp_path / "further"))
    meta = json.loads((tmp_path / "further" / "meta.json").read_text())
    assert (
        meta["steps"] == rows.count("\n") // 2
        and str(tmp_path / "models") in meta["inputs"]["init"][0]
    )


def test_an_interrupted_training_goes_on_to_the_same_bytes(tmp_path):
    (tmp_path / "six.tsv").write_text(SIX)

    def trained(output: str, stop_at: int = 0) -> bytes:
        encoder, steps = rocketqa.load_model("v1_marco_de", batch_size=4), []

        def interrupt(*_):
            steps.append(1)
            if len(steps) == stop_at:
                raise KeyboardInterrupt

        encoder.layer.query_encoder.register_forward_pre_hook(interrupt)
        encoder.train(tmp_path / "six.tsv", 3, tmp_path / output, save_steps=2, learning_rate=1e-2)
        assert len(steps) == (2 if output == "stopped" else 6)
        return (tmp_path / output / "model.safetensors").read_bytes()

    with pytest.raises(KeyboardInterrupt):
        trained("stopped", stop_at=5)
    assert trained("stopped") == trained("whole")


@pytest.mark.parametrize(
    "name, rows, told",
    [
        ("v1_marco_de", FOUR, "train.tsv:1: expected 6 columns, got 4"),
        ("v1_marco_ce", SIX, "train.tsv:1: expected 4 columns, got 6"),
        (
            "v1_marco_de",
            SIX + "q\tt\t\t-\tp\t0\n",
            "train.tsv:9: expected a text, got an empty one",
        ),
        ("v1_marco_ce", "q\tt\tp\tyes\n", "train.tsv:1: expected label 0 or 1, got 'yes'"),
        ("v1_marco_ce", "q\tt\tp\t1\n", "examples: expected at least one batch of 4"),
        (
            "v2_marco_ce",
            FOUR,
            "expected a cross encoder of two classes, got RocketQAv2's re-ranker",
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_named_by_its_line(tmp_path, name, rows, told):
    (tmp_path / "train.tsv").write_text(rows)
    encoder = rocketqa.load_model(name, batch_size=4)
    before = weights_of(encoder)
    with pytest.raises(DataError, match=told):
        encoder.train(str(tmp_path / "train.tsv"), 1, str(tmp_path / "models"))
    assert not (tmp_path / "models").exists()
    assert all((weights_of(encoder)[name] == value).all() for name, value in before.items())


@pytest.mark.parametrize(
    "given, told",
    [
        ({"learning_rate": float("nan")}, "learning_rate: expected a number above 0, got nan"),
        ({"learning_rate": "fast"}, "learning_rate: expected a number above 0, got 'fast'"),
        ({"epoch": 1.5}, "epoch: expected a whole number from 1, got 1.5"),
        ({"batch_size": 9}, "examples: expected at least one batch of 9"),
    ],
)
def test_a_training_that_cannot_be_leaves_the_encoder_as_it_was(tmp_path, given, told):
    (tmp_path / "train.tsv").write_text(SIX)
    encoder = rocketqa.load_model("v1_marco_de", batch_size=np.int64(2))
    before = list(encoder.matching(QUERY, PARA))
    with pytest.raises(DataError, match=told):
        encoder.train(
            **{"train_set": tmp_path / "train.tsv", "epoch": 1, "save_model_path": tmp_path / "out"}
            | given
        )
    assert encoder.batch_size == 2 and list(encoder.matching(QUERY, PARA)) == before


def test_all_devices_of_a_launch_train_one_model_on_the_passages_of_all(tmp_path, monkeypatch):
    """Two devices of 2 queries have the losses of one of 4; both encoders are trained in one program."""
    for name, kind in (("v1_marco_de", "separate"), ("v1_marco_ce", "cross")):
        ReleasedFixture(
            tmp_path / "cache" / name, kind, dropout=0.0
        )  # devices draw it for themselves
    monkeypatch.setenv("ROCKETQA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "six.tsv").write_text(SIX)
    (tmp_path / "four.tsv").write_text(FOUR)
    (tmp_path / "program.py").write_text("""if True:
        import os
        import sys
        import time
        import rocketqa
        if __name__ == "__main__":
            for name, rows in (("v1_marco_de", "six.tsv"), ("v1_marco_ce", "four.tsv")):
                encoder = rocketqa.load_model(model=name, use_cuda=False, batch_size=int(sys.argv[2]))
                time.sleep(int(os.environ.get("PADDLE_TRAINER_ID", "0")))  # devices are never at the same place
                encoder.train(rows, 2, f"{sys.argv[1]}/{name}", learning_rate=1e-3)
                assert len(list(encoder.matching(["a cat"], ["the mat"]))) == 1
    """)
    launch = [
        "-m",
        "paddle.distributed.launch",
        "--nproc_per_node",
        "2",
        "--backend",
        "gloo",
        "--log_dir",
        "log",
    ]
    for command in (
        [sys.executable, "program.py", "one", "4"],
        [sys.executable, *launch, "program.py", "two", "2"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    one, two = (
        np.loadtxt(tmp_path / which / "v1_marco_de" / "train_log.tsv", skiprows=1, usecols=1)
        for which in ("one", "two")
    )
    assert len(one) == 4
    np.testing.assert_allclose(two, one, rtol=1e-4)
    assert (
        json.loads((tmp_path / "two" / "v1_marco_ce" / "meta.json").read_text())["job"]["flags"][
            "devices"
        ]
        == 2
    )
