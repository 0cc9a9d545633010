"""Code written for the released `rocketqa` package runs, and gets the answers of its models."""

import inspect
import json
import subprocess
import sys
from pathlib import Path
from types import GeneratorType

import numpy as np
import pytest
from ask_released_package import TRAINED, answers
from pretended_gpus import A100, pretend_gpus
from released_fixture import PACKAGE, ReleasedFixture
from toolkit_fixture import PARA, QUERY, TITLE, write_released_models

import rocketqa
from rocketqa import toolkit
from rocketqa.files.errors import DataError

RELEASED_ANSWERS = Path(__file__).parent / "released_answers.json"
REQUIRED = inspect.Parameter.empty


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """Small models in the released layout, by the names that they have in the cache."""
    return write_released_models(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def cache(released, monkeypatch):
    """The cache in which `load_model` finds the small models."""
    folder = released["v1_marco_de"].folder.parent
    monkeypatch.setenv("ROCKETQA_CACHE", str(folder))
    return folder


def parameters(call) -> list[tuple[str, object]]:
    """Returns the names and defaults of a call's parameters."""
    signature = inspect.signature(call).parameters.items()
    return [(name, parameter.default) for name, parameter in signature if name != "self"]


def test_loading_and_encoding_have_the_released_signatures():
    assert parameters(rocketqa.load_model) == [
        ("model", REQUIRED),
        ("use_cuda", False),
        ("device_id", 0),
        ("batch_size", 1),
    ]
    assert parameters(toolkit.DualEncoder.encode_query) == [("query", REQUIRED)]
    assert parameters(toolkit.DualEncoder.encode_para) == [("para", REQUIRED), ("title", ())]


@pytest.mark.parametrize("kind", [toolkit.DualEncoder, toolkit.CrossEncoder])
def test_matching_and_training_have_the_released_signatures(kind):
    assert parameters(kind.matching) == [("query", REQUIRED), ("para", REQUIRED), ("title", ())]
    assert parameters(kind.train) == [
        ("train_set", REQUIRED),
        ("epoch", REQUIRED),
        ("save_model_path", REQUIRED),
        ("save_steps", 0),
        ("batch_size", None),
        ("learning_rate", 2e-5),
        ("log_folder", None),
    ]


@pytest.mark.parametrize("name", ["v1_marco_de", "pair_marco_de"])
def test_the_vectors_of_a_dual_encoder_are_the_released_ones(released, name):
    dual_encoder = rocketqa.load_model(model=name, use_cuda=False, device_id=0, batch_size=32)
    q_generator = dual_encoder.encode_query(query=QUERY)
    p_generator = dual_encoder.encode_para(para=PARA, title=TITLE)
    assert isinstance(q_generator, GeneratorType)
    assert isinstance(p_generator, GeneratorType)
    q_embs = np.array(list(q_generator))
    p_embs = np.array(list(p_generator))
    assert q_embs.dtype == p_embs.dtype == np.float32
    assert q_embs.shape == p_embs.shape == (2, 8)
    slow = released[name]
    slow_queries = [slow.query(text) for text in QUERY]
    slow_passages = [slow.passage(text, title) for text, title in zip(PARA, TITLE)]
    np.testing.assert_allclose(q_embs, slow_queries, atol=1e-5, rtol=0)
    np.testing.assert_allclose(p_embs, slow_passages, atol=1e-5, rtol=0)


def test_a_gpu_computes_exactly_in_float32(monkeypatch):
    expected = list(rocketqa.load_model("v1_marco_de").encode_query(QUERY))
    switched = pretend_gpus(monkeypatch, A100)
    encoder = rocketqa.load_model("v1_marco_de", use_cuda=True)
    assert switched == [False]
    np.testing.assert_allclose(list(encoder.encode_query(QUERY)), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["v1_marco_de", "pair_marco_de"])
def test_a_dual_encoder_matches_by_dot_products(released, name):
    dual_encoder = rocketqa.load_model(model=name, use_cuda=False, device_id=0, batch_size=32)
    generator = dual_encoder.matching(query=QUERY, para=PARA)
    assert isinstance(generator, GeneratorType)
    dot_products = list(generator)
    assert [type(value) for value in dot_products] == [float, float]
    slow = released[name]
    expected = [slow.query(query) @ slow.passage(text) for query, text in zip(QUERY, PARA)]
    assert dot_products == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["v1_marco_ce", "v2_marco_ce"])
def test_a_cross_encoder_answers_as_released(released, name):
    cross_encoder = rocketqa.load_model(model=name, use_cuda=False, device_id=0, batch_size=32)
    relevance = cross_encoder.matching(query=QUERY, para=PARA, title=TITLE)
    assert isinstance(relevance, GeneratorType)
    with_titles = list(map(released[name].score, QUERY, PARA, TITLE))
    assert list(relevance) == pytest.approx(with_titles, abs=1e-5)
    without_titles = list(map(released[name].score, QUERY, PARA))
    assert list(cross_encoder.matching(QUERY, PARA)) == pytest.approx(without_titles, abs=1e-5)


@pytest.mark.parametrize("kind", PACKAGE)
def test_code_for_the_released_package_gets_the_answers_that_it_gives_itself(tmp_path, kind):
    """The released package 1.1.0 ran tests/ask_released_package.py on Paddle 1.8.5."""
    ReleasedFixture(tmp_path / kind, kind, dropout=0.0)
    expected = json.loads(RELEASED_ANSWERS.read_text(encoding="utf-8"))[kind]
    given = answers(str(tmp_path), kind)
    assert given.keys() == expected.keys()
    assert ("differences after training" in given) == (kind == TRAINED)
    for call, values in expected.items():
        atol = 2e-4 if "training" in call else 1e-5
        np.testing.assert_allclose(given[call], values, atol=atol, rtol=0, err_msg=call)


def test_vectors_come_in_the_order_of_the_texts_with_any_batch_size():
    texts = []
    for text in QUERY + PARA:
        texts += [text, text, text]
    by_one = rocketqa.load_model("v1_marco_de", batch_size=1)
    by_five = rocketqa.load_model("v1_marco_de", batch_size=5)
    ones = np.array(list(by_one.encode_query(texts)))
    fives = np.array(list(by_five.encode_query(texts)))
    np.testing.assert_allclose(ones, fives, atol=1e-6)


@pytest.mark.parametrize("name", ["v1_marco_de", "v2_marco_ce"])
def test_outputs_that_are_not_finite_are_refused(name):
    encoder = rocketqa.load_model(name, batch_size=2)
    for weight in encoder.layer.parameters():
        weight.set_value(weight * np.nan)
    outputs = encoder.matching(QUERY, PARA)
    with pytest.raises(DataError, match="expected finite scores, got nan .* for input 1 of 2: its"):
        next(outputs)


def test_a_batch_is_computed_only_when_its_first_vector_is_asked_for():
    encoder = rocketqa.load_model("v1_marco_de", batch_size=2)
    batches = []
    encoder.layer.query_encoder.register_forward_post_hook(lambda *_: batches.append(1))
    vectors = encoder.encode_query(QUERY + PARA)
    assert not batches
    next(vectors)
    next(vectors)
    assert len(batches) == 1


def test_a_config_is_found_as_the_released_readme_names_it(cache):
    for path in ("config.json", "config", "", "."):
        assert rocketqa.load_model(f"{cache}/v1_marco_ce/{path}").lengths == {"max_length": 14}


@pytest.mark.parametrize("name", ["v3", ""])
def test_an_unknown_model_is_refused_by_its_name(name):
    expected = (
        rf"^{name}: expected a name of available_models\(\), a config.json or its folder, got"
    )
    with pytest.raises(DataError, match=expected):
        rocketqa.load_model(name)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda encoder: encoder.encode_query("the cat"),
            "query: expected a list of texts, got a single text",
        ),
        (
            lambda encoder: encoder.encode_para(["a cat", " "]),
            r"para\[1\]: expected a text, got an empty one",
        ),
        (
            lambda encoder: encoder.matching(["a", "b"], ["c"]),
            "para: expected 2, one for each query, got 1",
        ),
    ],
)
def test_wrong_texts_are_refused_by_the_call_before_anything_is_computed(call, message):
    with pytest.raises(DataError, match=message):
        call(rocketqa.load_model("v1_marco_de"))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"batch_size": 0}, "batch_size: expected a whole number from 1, got 0"),
        (
            {"use_cuda": True, "device_id": 5000},
            "device_id: expected one of .* GPUs that this Paddle knows, got 5000",
        ),
    ],
)
def test_wrong_settings_are_refused_when_a_model_is_loaded(arguments, message):
    with pytest.raises(DataError, match=message):
        rocketqa.load_model("v1_marco_de", **arguments)


def test_nothing_happens_at_import_and_the_arguments_of_the_program_stay_its_own():
    script = """if True:
        import sys
        sys.argv = ["server.py", "--batch_size", "99", "--do_lower_case", "nonsense", "--help"]
        import rocketqa
        assert not {"paddle", "rocketqa.toolkit"} & set(sys.modules), "the import is heavy"
        import paddle
        paddle.enable_static()
        encoder = rocketqa.load_model("v1_marco_de")
        vectors = list(encoder.encode_query(["the cat"]))
        assert len(vectors[0]) == 8 and encoder.batch_size == 1 and not paddle.in_dynamic_mode()
    """
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_package_has_no_other_calls():
    assert rocketqa.__all__ == ["available_models", "load_model"]
    with pytest.raises(AttributeError, match="module 'rocketqa' has no attribute 'train'"):
        rocketqa.train  # noqa: B018
