"""The models that a flight begins with are read as the script needs them."""

import pytest
from toy_files import write_tiny_flight

from rocketqa.files.errors import DataError
from rocketqa.training.weight_checks import try_finished_model, try_initial_weights


def test_an_encoder_is_a_start_of_both_kinds_and_a_finished_dual_encoder(tmp_path):
    write_tiny_flight(tmp_path)
    init = str(tmp_path / "init")
    for variable in ("INIT", "INIT_CROSS"):
        try_initial_weights(init, variable, {}, planned=False)
    try_finished_model(init, "INIT", {}, planned=False)
    with pytest.raises(DataError, match="expected a cross encoder, got an encoder as others"):
        try_finished_model(init, "INIT_CROSS", {}, planned=False)


def test_a_model_that_an_adaptation_would_write_over_is_refused(tmp_path):
    source = str(tmp_path / "c/adapted/adapted")
    with pytest.raises(DataError) as error:
        try_finished_model(source, "INIT", {"CHECKPOINT_DIR": str(tmp_path / "c")}, planned=True)
    assert str(error.value) == (
        f"{source}: expected a model outside of {tmp_path}/c/adapted, which adapt.sh writes into, "
        "got one inside: choose another CHECKPOINT_DIR and OUTPUT_DIR"
    )
