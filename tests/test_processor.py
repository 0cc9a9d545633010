"""The processor is named with the instruction sets that matter to matrix products."""

from rocketqa.jobs import processor
from rocketqa.jobs.processor import instruction_sets, multiplies_bfloat16, processor_line


def test_the_instruction_sets_are_those_of_the_description(tmp_path, monkeypatch):
    described = tmp_path / "cpuinfo"
    described.write_text("model name\t: Xeon 1\nflags\t\t: fpu avx2 avx512f avx512_vnni sse\n")
    monkeypatch.setattr(processor, "PROCESSOR", described)
    assert instruction_sets() == ["avx2", "avx512f", "avx512_vnni"]
    assert not multiplies_bfloat16()
    line = processor_line()
    assert line.startswith("processor: Xeon 1; cores of this process: ")
    assert line.endswith("; instruction sets: avx2, avx512f, avx512_vnni")


def test_bfloat16_is_of_amx_or_avx512(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "PROCESSOR", tmp_path / "cpuinfo")
    for name in ("amx_bf16", "avx512_bf16"):
        (tmp_path / "cpuinfo").write_text(f"flags\t\t: fpu {name}\n")
        assert multiplies_bfloat16()


def test_a_machine_without_a_description_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "PROCESSOR", tmp_path / "missing")
    assert processor_line().startswith("processor: unknown; ")
    assert "instruction sets: none of avx2, " in processor_line()
