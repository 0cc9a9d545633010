"""A Git LFS pointer is refused by its name wherever the large file itself is needed."""

import pytest
from published_models import write_model

from rocketqa.dual_encoder import DualEncoder
from rocketqa.files.errors import DataError
from rocketqa.files.git_lfs import refuse_git_lfs_pointer
from rocketqa.weights.checkpoint import load_model
from rocketqa.weights.pretrained import load_pretrained

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:0000000000000000000000000000000000000000000000000000000000000000\n"
    b"size 437951328\n"
)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "model_state.pdparams"])
@pytest.mark.parametrize("load", [load_pretrained, lambda folder: load_model(folder, DualEncoder)])
def test_weights_that_are_a_pointer_are_refused(tmp_path, name, load):
    folder = write_model(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(POINTER)
    with pytest.raises(DataError) as error:
        load(folder)
    assert str(error.value) == (
        f"{folder}/{name}: expected weights, got a Git LFS pointer: fetch the file itself, "
        "for example with `git lfs pull`"
    )


@pytest.mark.parametrize("name", ["vocab.txt", "tokenizer.json"])
def test_files_of_a_tokenizer_that_are_a_pointer_are_refused(tmp_path, name):
    folder = write_model(tmp_path / "model")
    (folder / name).write_bytes(POINTER)
    with pytest.raises(DataError, match=f"{name}: expected .*, got a Git LFS pointer: fetch the"):
        load_pretrained(folder)


def test_other_files_are_let_through(tmp_path):
    for content in (b"", b"version", b"PK\x03\x04"):
        (tmp_path / "weights").write_bytes(content)
        refuse_git_lfs_pointer(tmp_path / "weights", "weights")
