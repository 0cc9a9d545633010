"""What the tests of the toolkit share: texts, training files, and a cache of small models."""

from pathlib import Path

from released_fixture import ReleasedFixture

QUERY = ["when is the dog home", "the cat sat"]
PARA = ["the dog ran home", "the cat sat on a mat far home on a mat"]
TITLE = ["dog", "a cat"]

# Training files of the released package: six columns for a dual encoder, four for a cross encoder.
SIX_COLUMNS = 2 * (
    "the cat\t\ta cat sat\t-\tthe dog ran\t0\n"
    "the dog\tdog\tthe dog ran home\t-\ta mat\t0\n"
    "when is far\t-\tfar is the mat\t-\tcat\t0\n"
    "a mat\tmat\ton the mat\t-\tdog home\t0\n"
)
FOUR_COLUMNS = 2 * (
    "the cat\t\ta cat sat\t1\n"
    "the cat\t-\tthe dog ran\t0\n"
    "the dog\tdog\tran home\t1\n"
    "a mat\tmat\tfar is the dog\t0\n"
)
CHINESE_FOUR_COLUMNS = "猫吗\t\t猫 坐\t1\n猫吗\t狗\t很远\t0\n"

KINDS = {
    "v1_marco_de": "separate",
    "pair_marco_de": "shared",
    "v1_marco_ce": "cross",
    "v2_marco_ce": "joint",
    "zh_dureader_de_v2": "zh separate",
    "zh_dureader_ce_v2": "zh cross",
}


def write_released_models(cache: Path, dropout: float = 0.1) -> dict[str, ReleasedFixture]:
    """Writes a small model for each name of KINDS into the cache and returns the models by name."""
    return {name: ReleasedFixture(cache / name, kind, 0, dropout) for name, kind in KINDS.items()}
