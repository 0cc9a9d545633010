"""No mutation of a file makes the verbs' readers and `rocketqa validate` disagree about it."""

from pathlib import Path

import pytest
from broken_files import SOUND
from data_folder import READERS, check_of, write_sound_folder
from hypothesis import example, given, settings
from mutations import mutated

from rocketqa.files.errors import DataError, Fault
from rocketqa.files.validation import DataFolder


@pytest.fixture(scope="module")
def sound_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sound files."""
    return write_sound_folder(tmp_path_factory.mktemp("sound"))


@settings(max_examples=800, deadline=None)
@given(mutated({file: SOUND[file] for file in READERS}))
@example(("dev.run", b"d1\tQ0\tp3\t" + b"9" * 400 + b"\t1\tx\n"))
@example(("qrels.train.tsv", b"q1\t0\tp1\t" + b"9" * 5000 + b"\n"))
def test_a_reader_refuses_the_first_fault_that_validate_names_and_no_other(sound_folder, case):
    file, content = case
    path = sound_folder / file
    path.write_bytes(content)
    faults: list[Fault] = []
    DataFolder(sound_folder, faults.append).read()
    messages = [str(fault) for fault in faults]
    named = [message for message in messages if message.startswith(f"{path}:")]
    refused = []
    try:
        READERS[file](path, check_of(file))
    except DataError as error:
        refused.append(str(error))
    path.write_bytes(SOUND[file])
    assert refused == named[:1]
