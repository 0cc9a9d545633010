"""Chunks need less memory than the batch at once, and the verb says so."""
import re
import subprocess

from toy_files import ENVIRONMENT, verb


def test_chunks_need_less_memory_than_the_batch_at_once():
    done = subprocess.run(verb("benchmark", "--batch-size", 64, "--chunk-size", 4, "--layers", 2, "--hidden-size", 96,
                               "--passage-length", 96, "--largest", 4, "--memory", 8), env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    header, direct, chunks, ratio, above, *largest = done.stdout.splitlines()
    assert header.split("\t") == ["what", "batch", "chunks", "seconds a step", "peak memory, GiB"]
    assert direct.split("\t")[:3] == ["direct", "64", "1"] and chunks.split("\t")[:3] == ["chunks", "64", "16"]
    assert float(re.search(r"ratio ([\d.]+)", above)[1]) < 0.6
    assert largest == [f"largest batch within 8 GiB, {what}: 4 (the largest tried)" for what in ("direct", "chunks")]
