"""The similarity of a dual encoder, by its folder alone: for the identity of jobs. It needs no
Paddle.
"""

from pathlib import Path
from typing import Any

from rocketqa.encoder.config import ErnieConfig
from rocketqa.weights.config_files import (
    class_of_checkpoint,
    config_of_checkpoint,
    has_config,
    read_config_file,
)
from rocketqa.weights.sentence_transformers import encoder_folder, own_similarity


def with_similarity_of(
    source: object, similarity: str | None = None, temperature: float | None = None
) -> ErnieConfig:
    """Returns an architecture that has the similarity and temperature of a model and of what was
    chosen, and nothing else of the model.

    source: a folder, or a name, which has the dot product. Raises DataError on a damaged file.
    """
    return _own(source).with_similarity(similarity, temperature)


def _own(source: object) -> ErnieConfig:
    config = ErnieConfig()
    if not isinstance(source, Path) or not source.is_dir():
        return config
    encoder = encoder_folder(source)
    if has_config(encoder):
        settings = read_config_file(encoder)
        if class_of_checkpoint(settings):
            of_checkpoint = config_of_checkpoint(settings)
            return config.with_similarity(of_checkpoint.similarity, of_checkpoint.temperature)
    similarity, _ = own_similarity(source)
    return config.with_similarity(similarity, None)


def similarity_flags(config: ErnieConfig) -> dict[str, Any]:
    """Returns the flag of a job with the similarity; none for the dot product, with which a job is
    what it was before there was another similarity.
    """
    return {} if config.similarity == "dot" else {"similarity": config.similarity}
