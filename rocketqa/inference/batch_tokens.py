"""How many tokens a batch of `encode` or `score` has where the user does not say. It loads Paddle
only on a machine with GPUs.

On a CPU a batch is 2,048 tokens, which fit its caches. A GPU is busy only with many rows: 8,192
tokens for each GiB of its memory, rounded down to a power of two, and at most 131,072. So cards of
the same nominal memory have the same number. By arithmetic, a token of an encoder with 24 layers of
1,024 needs some 60 KiB in float32, and a batch half of the memory or less. No GPU has measured it.
"""

from rocketqa.distributed.gpus import number_of_gpus, smallest_memory

TOKENS_ON_CPU = 2048
TOKENS_A_GIB = 8192
MOST_TOKENS = 131_072
GIB = 2**30


def default_batch_tokens() -> int:
    """Returns the tokens of a batch on this machine: of its smallest GPU, or of a CPU."""
    gpus = number_of_gpus()
    if not gpus:
        return TOKENS_ON_CPU
    return tokens_for_memory(smallest_memory(gpus))


def tokens_for_memory(memory: int) -> int:
    """Returns the tokens of a batch on a GPU with so many bytes of memory."""
    tokens = max(memory * TOKENS_A_GIB // GIB, TOKENS_ON_CPU)
    power_of_two = 1 << (tokens.bit_length() - 1)
    return min(power_of_two, MOST_TOKENS)
