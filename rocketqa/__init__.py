"""RocketQA (Qu et al., NAACL 2021, arXiv 2010.08191) on today's Paddle. Importing it imports nothing heavy."""
import zlib  # noqa: F401  Paddle 2.6.2 crashes where zlib is first loaded after it.

__version__ = "0.1.0"
