"""Released models answer as they did, to 1e-5, and come back into their layout to the byte."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile

import numpy as np
import paddle
import pytest
from data_prep_runs import call
from misbehaving_server import serving
from released_fixture import PACKAGE, ReleasedFixture

import rocketqa
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage
from rocketqa.text.tokenizer import text_encoder_of
from rocketqa.weights.checkpoint import save_model, set_weights
from rocketqa.weights.fluid_variables import read_variable, variable_bytes
from rocketqa.weights.released_models import (
    KINDS,
    read_checkpoint,
    read_released,
    read_variables_alone,
    write_released,
)

# What paddle.static.io.save_vars of Paddle 2.6.2 wrote of a [3, 4] parameter that counts from 0.
PADDLE_WROTE = (
    bytes.fromhex("0000000000000000000000000000000006000000080510031004")
    + np.arange(12, dtype="<f4").tobytes()
)
SAVES = """
import sys, numpy as np, paddle
paddle.enable_static()
with paddle.static.program_guard(paddle.static.Program(), paddle.static.Program()):
    for name, shape in (("word_embedding", [300, 8]), ("pooled_fc.b_0", [8])):
        paddle.static.create_parameter(shape, "float32", name=name, default_initializer=paddle.nn.initializer.Normal())
    executor = paddle.static.Executor(paddle.CPUPlace())
    executor.run(paddle.static.default_startup_program())
    paddle.static.io.save_vars(executor, sys.argv[1], paddle.static.default_main_program(), predicate=lambda _: True)
"""
TEXTS = {
    False: ("when is the cat on a mat", "the cat sat on a mat far home", "dog"),
    True: ("猫 在垫子上 吗", "猫 坐在垫子上 狗 跑得很远 远 远 远", "狗"),
}


def model_of(released):
    layer = released.kind.layer(released.config)
    set_weights(layer, released.weights, "test")
    layer.eval()
    return layer, text_encoder_of(released.tokenizer_files)


def contents(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_variable_is_read_and_written_as_paddle_does(tmp_path):
    (tmp_path / "w").write_bytes(PADDLE_WROTE)
    value = read_variable(tmp_path / "w")
    assert value.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert variable_bytes(value) == PADDLE_WROTE


def test_variables_that_this_paddle_writes_are_read_and_written_back_to_the_byte(tmp_path):
    subprocess.run([sys.executable, "-c", SAVES, str(tmp_path)], check=True, capture_output=True)
    assert read_variable(tmp_path / "word_embedding").shape == (300, 8)
    assert len(contents(tmp_path)) == 2
    for path in tmp_path.iterdir():
        assert variable_bytes(read_variable(path)) == path.read_bytes()


@pytest.mark.parametrize(
    "hostile, told",
    [
        (b"", "expected a variable, got 0 bytes"),
        (PADDLE_WROTE[:19], "expected a variable, got 19 bytes"),
        (PADDLE_WROTE[:20], "expected float32 values"),
        (PADDLE_WROTE[:-1], r"expected 48 bytes for values of shape \[3, 4\], got 47"),
        (PADDLE_WROTE + b"\0", "expected 48 bytes .* got 49"),
        (b"\1" + PADDLE_WROTE[1:], "version 0"),
        (PADDLE_WROTE[:4] + b"\1" + PADDLE_WROTE[5:], "without sequences"),
        (PADDLE_WROTE[:16] + b"\xff\xff\xff\x7f" + PADDLE_WROTE[20:], "got another file"),
        (PADDLE_WROTE[:16] + b"\xff\xff\xff\xff" + PADDLE_WROTE[20:], "got another file"),
        (PADDLE_WROTE[:21] + b"\6" + PADDLE_WROTE[22:], "expected float32"),
        (PADDLE_WROTE[:22] + b"\x18" + PADDLE_WROTE[23:], "expected float32"),
        (PADDLE_WROTE[:23] + b"\0" + PADDLE_WROTE[24:], "with their dimensions"),
        (
            b"\0" * 16 + b"\x0e\0\0\0\x08\5" + b"\x10" + b"\xff" * 10 + b"\x01" + b"\0" * 8,
            "with their dimensions",
        ),
        (
            b"\0" * 16 + b"\x0e\0\0\0\x08\5" + 2 * b"\x10\xff\xff\xff\xff\x07" + b"\0" * 8,
            "expected 18446744056529682436",
        ),
        (b"\0" * 16 + b"\2\0\0\0\x08\5", "with their dimensions"),
    ],
)
def test_a_file_that_is_no_variable_is_refused_before_its_lengths_are_believed(
    tmp_path, hostile, told
):
    (tmp_path / "w").write_bytes(hostile)
    with pytest.raises(DataError, match=f"w: .*{told}"):
        read_variable(tmp_path / "w")


@pytest.mark.parametrize("kind", PACKAGE)
def test_a_released_model_answers_as_a_slow_twin_in_float64(tmp_path, kind):
    fixture = ReleasedFixture(tmp_path / "model", kind)
    released = read_released(fixture.folder / "config.json")
    model, encoder = model_of(released)
    query, text, title = TEXTS[fixture.chinese]
    passage, lengths = Passage("1", title, text), released.lengths
    with paddle.no_grad():
        if isinstance(model, DualEncoder):
            q_reps, p_reps = model(
                pack(encoder.queries([query], lengths["query_length"])),
                pack(encoder.passages([passage], lengths["passage_length"])),
            )
            np.testing.assert_allclose(q_reps.numpy()[0], fixture.query(query), atol=1e-5, rtol=0)
            np.testing.assert_allclose(
                p_reps.numpy()[0], fixture.passage(text, title), atol=1e-5, rtol=0
            )
        else:
            pairs = pack(encoder.pairs([query], [passage], lengths["max_length"]))
            score = model(pairs) if fixture.kind == "joint" else model.probability(pairs)
            assert score.item() == pytest.approx(fixture.score(query, text, title), abs=1e-5)


@pytest.mark.parametrize(
    "kind, tokens",
    [("cross", ["[CLS]", "[UNK]", "cat", "[SEP]"]), ("zh cross", ["[CLS]", "[UNK]", "[SEP]"])],
)
def test_only_a_chinese_model_removes_spaces(tmp_path, kind, tokens):
    fixture = ReleasedFixture(tmp_path / "model", kind)
    encoder = text_encoder_of(read_released(fixture.folder / "config.json").tokenizer_files)
    assert encoder.queries(["xy cat"], 8)[0].token_ids.tolist() == [
        fixture.words[token] for token in tokens
    ]


@pytest.mark.parametrize("kind", PACKAGE)
def test_a_checkpoint_goes_into_the_released_layout_and_back_to_the_byte(tmp_path, kind):
    fixture = ReleasedFixture(tmp_path / "released", kind)
    released = read_released(fixture.folder / "config.json")
    for name in ("ours", "written", "again"):
        (tmp_path / name).mkdir()
    model, _ = model_of(released)
    save_model(tmp_path / "ours", model, released.tokenizer_files)
    ours = read_checkpoint(tmp_path / "ours")._replace(lengths=released.lengths)
    write_released(tmp_path / "written", ours)
    written = contents(tmp_path / "written" / "params")
    assert written == {
        name: value
        for name, value in contents(fixture.folder / "step_10").items()
        if not name.endswith("_moment1_0")
    }
    read = read_released(tmp_path / "written" / "config.json")
    assert (
        read.kind == released.kind
        and read.config == released.config
        and read.lengths == released.lengths
    )
    assert read.tokenizer_files == released.tokenizer_files
    assert {name: value.tobytes() for name, value in read.weights.items()} == {
        name: value.tobytes() for name, value in released.weights.items()
    }
    write_released(tmp_path / "again", read)
    assert contents(tmp_path / "again") == contents(tmp_path / "written")


@pytest.mark.parametrize("kind", ["separate", "shared", "cross", "joint"])
def test_variables_alone_tell_their_architecture(tmp_path, kind):
    fixture = ReleasedFixture(tmp_path / "released", kind)
    expected = read_released(fixture.folder / "config.json")
    found = read_variables_alone(fixture.folder / "step_10", fixture.folder / "vocab.txt")
    assert found.kind == expected.kind
    assert (
        found.config._replace(num_attention_heads=2) == expected.config
    )  # they have 64 places each
    assert found.weights.keys() == expected.weights.keys()


def change(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "file, changes, told",
    [
        (
            "config.json",
            {"model_checkpoint_path": "step_20"},
            "step_20: expected the variables of 2 layers, got 0",
        ),
        (
            "config.json",
            {"model_vocab_path": None},
            "config.json: expected model_vocab_path, a text, got None",
        ),
        (
            "config.json",
            {"model_conf_path": "gone.json"},
            "gone.json: expected a file, got nothing there",
        ),
        (
            "config.json",
            {"max_seq_len": 512},
            "expected lengths of 8 to 20, got {'max_length': 512}",
        ),
        ("config.json", {"max_seq_len": "384"}, "expected max_seq_len, a number from 1, got '384'"),
        (
            "config.json",
            {"model_type": "dual"},
            "expected model_type cross_encoder, by its lengths, got dual",
        ),
        (
            "config.json",
            {"joint_training": 1},
            r"missing \['qtp__cls_out_b', 'qtp__cls_out_w', 'qtp_encoder_layer_0",
        ),
        (
            "config.ernie.json",
            {"num_hidden_layers": 1},
            "expected the variables of 1 layers, got 2 layers",
        ),
        ("config.ernie.json", {"hidden_act": "load"}, "expected hidden_act gelu or relu, got load"),
        (
            "config.ernie.json",
            {"num_attention_heads": 3},
            "expected a hidden_size for 3 heads, got 8",
        ),
        (
            "config.ernie.json",
            {"num_hidden_layers": -1},
            "expected num_hidden_layers, a number from 1, got -1",
        ),
        ("config.ernie.json", {"vocab_size": 10}, "expected at most vocab_size 10 words, got 17"),
    ],
)
def test_what_is_not_as_released_is_named(tmp_path, file, changes, told):
    fixture = ReleasedFixture(tmp_path / "model", "cross")
    change(fixture.folder / file, **changes)
    with pytest.raises(DataError, match=told):
        read_released(fixture.folder / "config.json")


def test_a_half_extracted_model_is_named(tmp_path):
    fixture = ReleasedFixture(tmp_path / "model", "separate")
    (fixture.folder / "step_10" / "titlepara_encoder_layer_1_ffn_fc_0.w_0").unlink()
    with pytest.raises(
        DataError, match=r"got 2 layers, 1 variables missing \['titlepara_encoder_layer_1_ffn_fc_0"
    ):
        read_released(fixture.folder / "config.json")


def test_what_the_released_package_cannot_read_is_not_written(tmp_path):
    released = read_released(ReleasedFixture(tmp_path / "model", "cross").folder / "config.json")
    for changed, told in (
        (
            released._replace(config=released.config._replace(layer_norm_eps=1e-12)),
            "eps 1e-05, .* got 1e-12",
        ),
        (
            released._replace(config=released.config._replace(intermediate_size=9)),
            "intermediate_size 32, .* got 9",
        ),
        (
            released._replace(tokenizer_files={"spm.model": b""}),
            "a vocabulary vocab.txt, .* got None",
        ),
    ):
        with pytest.raises(DataError, match=told):
            write_released(tmp_path / "out", changed)
    assert not (tmp_path / "out").exists()


def test_the_towers_of_a_shared_model_are_written_once(tmp_path):
    released = read_released(ReleasedFixture(tmp_path / "model", "shared").folder / "config.json")
    assert released.kind == KINDS["shared"] and not any(
        name.startswith("query_") for name in contents(tmp_path)
    )
    np.testing.assert_array_equal(
        released.weights["query_encoder.embeddings.layer_norm.bias"],
        released.weights["passage_encoder.embeddings.layer_norm.bias"],
    )


@pytest.mark.parametrize("kind", PACKAGE)
def test_a_released_model_becomes_a_checkpoint_that_answers_the_same_and_goes_back(tmp_path, kind):
    fixture = ReleasedFixture(tmp_path / "model", kind)
    status, said = call(
        "released_models.py", "import", fixture.folder, "--output", tmp_path / "ours"
    )
    lengths = (
        "--query-length 8, --passage-length 12"
        if "q_max_seq_len" in fixture.config
        else "--max-length 14"
    )
    assert (status, said.splitlines()[-1].partition(", for ")[2]) == (0, lengths)
    assert (
        call("released_models.py", "export", tmp_path / "ours", "--output", tmp_path / "back")[0]
        == 0
    )
    query, text, _ = TEXTS[fixture.chinese]
    first, *others = [
        list(rocketqa.load_model(str(tmp_path / name)).matching([query], [text]))
        for name in ("model", "ours", "back")
    ]
    assert others == [first, first]
    assert (
        contents(tmp_path / "back" / "params").items()
        <= contents(fixture.folder / "step_10").items()
    )
    assert (
        call(
            "released_models.py", "import", fixture.folder, "--output", tmp_path / "ours", "--check"
        )[0]
        == 0
    )
    (fixture.folder / "config.json").write_text((fixture.folder / "config.json").read_text() + " ")
    assert (
        call(
            "released_models.py", "import", fixture.folder, "--output", tmp_path / "ours", "--check"
        )[0]
        == 3
    )


def test_the_variables_behind_a_url_become_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("ROCKETQA_CACHE", str(tmp_path / "cache"))
    fixture, archive = ReleasedFixture(tmp_path / "model", "separate"), io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(fixture.folder / "step_10", "marco_dual_encoder_v9")
    body = archive.getvalue()
    with serving(body, "fine") as server:
        url = server.url.replace("file.tsv", "marco_dual_encoder_v9.tar.gz")
        flags = (
            "import",
            url,
            "--output",
            tmp_path / "ours",
            "--md5",
            hashlib.md5(body).hexdigest(),
        )
        assert call("released_models.py", *flags)[1].endswith(
            "expected --vocab with variables that have no config.json beside them, got none\n"
        )
        assert call("released_models.py", *flags, "--vocab", fixture.folder / "vocab.txt")[0] == 0
    expected = read_released(fixture.folder / "config.json")
    assert read_checkpoint(tmp_path / "ours").weights.keys() == expected.weights.keys()


def test_what_is_no_model_is_not_imported(tmp_path):
    assert call(
        "released_models.py", "import", tmp_path / "gone", "--output", tmp_path / "ours"
    ) == (
        2,
        f"data_prep/released_models.py: {tmp_path}/gone: expected a released model, got neither config.json nor "
        f"variables there\n",
    )
    assert list(tmp_path.iterdir()) == []
