"""The models that a flight begins with: initial weights, or finished models that it adapts."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from rocketqa.files.errors import DataError
from rocketqa.text.tokenizer import text_encoder_of
from rocketqa.training.adaptation_plan import below_adapted
from rocketqa.weights.architectures import KNOWN
from rocketqa.weights.finished_models import read_finished_model
from rocketqa.weights.pretrained import is_known_name, load_pretrained

MODEL_OF_INIT = {"INIT": "DualEncoder", "INIT_CROSS": "CrossEncoder", "INIT_BERT": "DualEncoder"}


def try_initial_weights(
    source: str, variable: str, variables: Mapping[str, str], planned: bool
) -> None:
    """Reads the initial weights that a variable names, and their tokenizer. In a plan, a name is
    only looked up.

    Raises DataError where a training could not start from them.
    """
    is_path = Path(source).exists() or source.startswith((".", "/"))
    if planned and not is_path:
        if source in KNOWN and find_spec("paddlenlp"):
            return  # known without the seconds that the import takes
        if not is_known_name(source):
            expected = "expected a folder, or a name that PaddleNLP lists or has fetched"
            raise DataError(f"{source}: {expected}, got neither")
        return
    chosen: dict[str, str | None] = {}
    for name in ("REPRESENTATION", "SIMILARITY"):
        chosen[name.lower()] = variables.get(name) or None
    start = load_pretrained(source, MODEL_OF_INIT[variable], **chosen)
    try:
        text_encoder_of(start.tokenizer_files)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error


def try_finished_model(
    source: str, variable: str, variables: Mapping[str, str], planned: bool
) -> None:
    """Reads the finished model that a variable names. In a plan, a released one is not fetched.

    Raises DataError where it is none of its kind, or where adapt.sh would write over it.
    """
    own = below_adapted(variables).get("CHECKPOINT_DIR")
    if own and Path(own).absolute() in Path(source).absolute().parents:
        raise DataError(
            f"{source}: expected a model outside of {own}, which adapt.sh writes into, got one "
            "inside: choose another CHECKPOINT_DIR and OUTPUT_DIR"
        )
    read_finished_model(source, MODEL_OF_INIT[variable], fetch=not planned)
