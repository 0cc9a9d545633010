"""Which processor this is: its name, its cores, the instructions that matter to matrix products."""

import os
import re
from pathlib import Path

PROCESSOR = Path("/proc/cpuinfo")
INSTRUCTION_SETS = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
)


def processor_line() -> str:
    """Returns one line: the model's name, the cores of this process, the instruction sets."""
    model = re.search(r"model name\s*: (.*)", description())
    name = model[1] if model else "unknown"
    cores = len(os.sched_getaffinity(0))
    sets = ", ".join(instruction_sets()) or "none of " + ", ".join(INSTRUCTION_SETS)
    return f"processor: {name}; cores of this process: {cores}; instruction sets: {sets}"


def instruction_sets() -> list[str]:
    """Returns those of the INSTRUCTION_SETS that this processor has."""
    words = set(description().split())
    return [name for name in INSTRUCTION_SETS if name in words]


def multiplies_bfloat16() -> bool:
    """Returns whether this processor has instructions for bfloat16: AMX or AVX-512 BF16."""
    return bool({"avx512_bf16", "amx_bf16"} & set(instruction_sets()))


def description() -> str:
    """Returns what the system says of the processor; empty where it says nothing."""
    return PROCESSOR.read_text(encoding="utf-8") if PROCESSOR.is_file() else ""
