"""The kernels are compiled once and kept; without a compiler Paddle's operators are used."""

import ctypes
import pwd
import tempfile

import paddle
import pytest
from damage import DAMAGES

from rocketqa.encoder import cpu_kernels, kernel_library
from rocketqa.encoder.kernel_library import call_kernel, library
from rocketqa.jobs.pieces import NOTES


@pytest.fixture
def fresh_cache(monkeypatch, tmp_path):
    """An empty cache of compiled kernels, and the library not loaded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    library.cache_clear()
    yield tmp_path / "rocketqa"
    library.cache_clear()


needs_compiler = pytest.mark.skipif(library() is None, reason="no C compiler here")


@needs_compiler
def test_the_kernels_are_compiled_once_and_kept_in_the_users_cache(fresh_cache, monkeypatch):
    assert library() is not None
    [compiled] = fresh_cache.glob("*.so")
    assert compiled.name.startswith("cpu_kernels-")
    assert {path.name for path in fresh_cache.iterdir()} == {compiled.name, NOTES}
    library.cache_clear()
    monkeypatch.setenv("PATH", "")  # no compiler now
    assert library() is not None
    assert list(fresh_cache.glob("*.so")) == [compiled]


@needs_compiler
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_library_in_the_cache_is_compiled_again(fresh_cache, damage):
    fresh_cache.mkdir()
    compiled = fresh_cache / kernel_library._file_name()
    kernel_library._compile(compiled)
    content = compiled.read_bytes()
    damage(compiled)
    assert library() is not None
    assert compiled.read_bytes() == content


@needs_compiler
def test_a_user_without_a_home_has_the_kernels_without_a_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def no_such_user(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", no_such_user)
    library.cache_clear()
    try:
        assert library() is not None
    finally:
        library.cache_clear()
    assert not list(tmp_path.iterdir())


@needs_compiler
def test_a_changed_source_is_another_file_in_the_cache(fresh_cache, monkeypatch, tmp_path):
    before = kernel_library._file_name()
    folder = kernel_library.FOLDER
    monkeypatch.setattr(kernel_library, "FOLDER", tmp_path)
    names = set()
    for changed in (None, *kernel_library.SOURCES):
        for source in kernel_library.SOURCES:
            content = (folder / source).read_bytes()
            (tmp_path / source).write_bytes(content + b"\n" * (source == changed))
        names.add(kernel_library._file_name())
    assert len(names) == 1 + len(kernel_library.SOURCES) and before in names


def test_without_a_compiler_a_line_says_so_and_paddles_operators_work(
    fresh_cache, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not cpu_kernels.usable(paddle.ones([2, 2]))
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "expected a C compiler (cc)" in message
    assert not list(fresh_cache.iterdir())
    with pytest.raises(RuntimeError, match="column_sums: expected compiled kernels, got none"):
        call_kernel("column_sums")


def test_a_variable_switches_the_kernels_off_without_a_word(monkeypatch, capsys):
    monkeypatch.setenv("ROCKETQA_KERNELS", "no")
    library.cache_clear()
    try:
        assert library() is None
        assert capsys.readouterr().err == ""
    finally:
        library.cache_clear()


@needs_compiler
def test_a_kernel_is_called_with_tensors_and_numbers():
    x = paddle.to_tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    total = paddle.empty([2])
    call_kernel("column_sums", x, 3, 2, total)
    assert total.tolist() == [9.0, 12.0]


@needs_compiler
def test_a_structure_is_passed_by_reference():
    class OneFloat(ctypes.Structure):
        _fields_ = [("value", ctypes.c_float)]

    x = OneFloat(1.5)
    total = paddle.empty([1])
    call_kernel("column_sums", x, 1, 1, total)
    assert total.tolist() == [1.5]
