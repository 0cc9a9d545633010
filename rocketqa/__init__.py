"""RocketQA (Qu et al., NAACL 2021, arXiv 2010.08191) on today's Paddle. Importing it imports nothing heavy.

`rocketqa.available_models()` and `rocketqa.load_model(...)` are the released package's calls (rocketqa/toolkit.py).
"""

import importlib
import zlib  # noqa: F401  Paddle 2.6.2 crashes where zlib is first loaded after it.

__version__ = "0.1.0"
__all__ = ["available_models", "load_model"]


def __getattr__(name: str):
    """Returns a call of the toolkit, which is loaded when the first is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("rocketqa.toolkit"), name)
