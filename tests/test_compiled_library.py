"""C functions are compiled once and kept; without a compiler a line says what follows."""

import pwd
import shutil
import tempfile

import pytest
from damage import DAMAGES

from rocketqa.jobs.compiled_library import LibrarySource
from rocketqa.jobs.pieces import NOTES

WITHOUT = "another way is taken"
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")


@pytest.fixture
def fresh_cache(monkeypatch, tmp_path):
    """An empty cache of compiled libraries."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches" / "rocketqa"


@pytest.fixture
def source(tmp_path):
    """A library of one function, made of a source and what it includes."""
    source = tmp_path / "seven.c"
    header = tmp_path / "seven.h"
    header.write_text("#define SEVEN 7\n")
    source.write_text('#include "seven.h"\nlong seven(void) { return SEVEN; }\n')
    return LibrarySource("seven", [source, header])


@needs_compiler
def test_a_library_is_compiled_once_and_kept_in_the_users_cache(fresh_cache, source, monkeypatch):
    assert source.load(WITHOUT).seven() == 7
    [compiled] = fresh_cache.glob("*.so")
    assert compiled.name == source.file_name()
    assert {path.name for path in fresh_cache.iterdir()} == {compiled.name, NOTES}
    monkeypatch.setenv("PATH", "")  # no compiler now
    assert source.load(WITHOUT).seven() == 7
    assert list(fresh_cache.glob("*.so")) == [compiled]


@needs_compiler
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_library_in_the_cache_is_compiled_again(fresh_cache, source, damage):
    fresh_cache.mkdir(parents=True)
    compiled = fresh_cache / source.file_name()
    source._compile(compiled)
    content = compiled.read_bytes()
    damage(compiled)
    assert source.load(WITHOUT).seven() == 7
    assert compiled.read_bytes() == content


@needs_compiler
def test_a_user_without_a_home_has_the_library_without_a_cache(source, monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def no_such_user(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", no_such_user)
    assert source.load(WITHOUT).seven() == 7
    assert not list(temporary.iterdir())


def test_every_source_and_flag_changes_the_name_in_the_cache(source):
    names = {source.file_name(), source._replace(flags=["-g"]).file_name()}
    for file in source.files:
        file.write_text(file.read_text() + "\n")
        names.add(source.file_name())
    assert len(names) == 4


def test_without_a_compiler_a_line_says_what_follows(
    fresh_cache, source, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert source.load(WITHOUT) is None
    message = capsys.readouterr().err
    assert message.startswith("seven: expected a C compiler (cc)") and message.endswith(
        f"; {WITHOUT}\n"
    )
    assert not list(fresh_cache.iterdir())


@needs_compiler
def test_an_error_of_the_compiler_is_told_in_one_line(fresh_cache, source, capsys):
    source.files[0].write_text("long seven(void) { return eight; }\n")
    assert source.load(WITHOUT) is None
    assert capsys.readouterr().err.count("\n") == 1


def test_a_variable_switches_libraries_off_without_a_word(source, monkeypatch, capsys):
    monkeypatch.setenv("ROCKETQA_KERNELS", "no")
    assert source.load(WITHOUT) is None
    assert capsys.readouterr().err == ""
