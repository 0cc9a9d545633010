"""A written graph gives the numbers of the layer that it was written from."""

import numpy as np
import paddle
import pytest
from tiny_encoders import rows_of_lengths, tiny_cross_encoder, tiny_ernie

from rocketqa.encoder.packing import pack
from rocketqa.inference.graph_files import load_graph, refuse_cut_files, write_graph
from rocketqa.inference.padded_encoder import PaddedCrossEncoder, PaddedErnie


def test_a_graph_is_two_files_and_runs_batches_of_any_shape(tmp_path):
    model = tiny_ernie()
    structure = write_graph(PaddedErnie(model), tmp_path, "encoder")
    assert structure.is_file()
    assert {path.name for path in tmp_path.iterdir()} == {structure.name, "encoder.pdiparams"}
    run = load_graph(structure, reduced=False)
    for lengths in ((3,), (2, 40), (5, 6, 7, 8)):
        rows = rows_of_lengths(*lengths)
        with paddle.no_grad():
            expected = model(pack(rows)).numpy()
        np.testing.assert_allclose(run(rows), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("ending", [".json", ".pdiparams"])
def test_a_graph_that_a_full_disk_has_cut_is_refused(tmp_path, ending):
    layer = PaddedErnie(tiny_ernie())
    structure = write_graph(layer, tmp_path, "encoder")
    cut = structure.with_suffix(ending)
    if not cut.is_file():
        pytest.skip("Paddle 2 writes no JSON")
    cut.write_bytes(cut.read_bytes()[:2000])
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}'"):
        refuse_cut_files(layer, structure)


def test_an_output_is_not_overwritten_by_the_next_batch(tmp_path):
    structure = write_graph(PaddedCrossEncoder(tiny_cross_encoder()), tmp_path, "cross_encoder")
    run = load_graph(structure, reduced=False)
    first = run(rows_of_lengths(5, 9))
    copy = first.copy()
    run(rows_of_lengths(7, 7))
    assert (first == copy).all()


@pytest.mark.parametrize("train", [False, True])
def test_a_graph_has_no_dropout(tmp_path, train):
    layer = PaddedErnie(tiny_ernie())
    if train:
        layer.train()
    run = load_graph(write_graph(layer, tmp_path, "encoder"), reduced=False)
    rows = rows_of_lengths(6, 9)
    assert run(rows).tobytes() == run(rows).tobytes()
    assert not layer.training
