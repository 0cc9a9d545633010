"""RocketQA (Qu et al., NAACL 2021, arXiv 2010.08191) on today's Paddle.

`rocketqa.available_models()` and `rocketqa.load_model(...)` are the calls of the released package.
The import alone loads neither Paddle nor faiss.
"""

import importlib
import zlib  # noqa: F401  Paddle 2.6.2 crashes where zlib is first loaded after it.

__version__ = "2.0.0"
__all__ = ["available_models", "load_model"]

_MODULE_OF = {
    "available_models": "rocketqa.weights.released_archives",
    "load_model": "rocketqa.toolkit",
}


def __getattr__(name: str) -> object:
    """Returns a call of the released package; its module is loaded at the first use."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)
