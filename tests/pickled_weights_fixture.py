"""Files of weights for tests: one that PyTorch wrote, and others made opcode by opcode."""

import zipfile
from pathlib import Path

import numpy as np

# What PyTorch 2.13 wrote of {"a": arange(6.).reshape(2, 3).t(), "b": bfloat16 [1.5, -2], "c": a
# Parameter of float16 [0.25], "position_ids": arange(3)}.
WRITTEN_BY_PYTORCH = (
    "XQAAAAT//////////wAoErxgJ+cNi6hSNClg99fhzj9CyPcNdA3GcizNY7fU/gUl4pO0Vy6caPDUWp/Ri+LU5AAwyW"
    "Rhff1x5QpW+7QlKWG7kagIEb32s5pZKlfSk1AAlFAsSdgdMs45rndhgX7jxRikevkSw4SQXGv32fUOIT3lNlxhxLGn"
    "ZISCebkcw6brAuT6Gzt8pfI9JHfy6oEq6hAYT1ano7OgXxwjqO4rWvhj0UXfKV0AAawUGkWrh+G787H1ICf7U1s7GV"
    "VsxmqJCFcfniCZkt7TRMoLfayIbfklyLWqzgL8u/czSM97gF7jtbyDmIZ4mJfVjmuZTU/Fi8jJJMSV8fsOG1YNBrbQ"
    "8xN87X/V5+wJ94w8a+dpNX2gQOgafUFFw3zKlq4wcjNXZjmWcOIY02zUGZTXT2++FDSoqRYxvVkM3cuInAE1G4pn4H"
    "atc9qKuFoAlOnA65EDse1CtiNZQshzZ5P0YgEkEWAyaW3z2cB4zDws1Zzo+U1v/fADDlEnmsvMJWBs3yV9NzgnKTXZ"
    "6eT2yaeIjlYQYdrShpklP33KDUc/icTMUkF2Pmf1goND0BbS520wNVUhwh8vfXSxVN7Viil6w95LD2v96SK4WmfZJH"
    "kFvYg4DMHkAq5aDLHtx36j1Md/CkBDmnIda+9slZByavjj6PS/MMdEeS4BX5EY+SCNAwN15vBVKiDnc23SqfeOLhRK"
    "eWJ8UMP30lGvUZ5wc/6BIJf2xPeDQoKkNtfxIEVm59NrGSDwxE2y4UJU9uapOszMYfY268nq7Gg8KJcRO+qyVm7GUP"
    "yD3VLS96XqLzI00VjF7P0q5djdrBdm5gZrUNmLAlIj98DB/rYdvBmeatcaeH0tMYaPVg0E795s8gb9dy8j3RrRfegU"
    "zPErD19oO3VqGHIZwd4wutTbmR3vrTSKSbH976JuaoMIpsqMFiE86lTcB7U24J0bVtNsHpVSlPinML+7oRN5vJW0AJ"
    "44Bx75klg620pZjMnZdKmDt9ClIAFLnaN/qY6Fjudwm2Q5ahSTYQ6nXp+WTqQv/S4GqQ=="
)


def torch_file(
    folder: Path, structure: bytes, compression: int = zipfile.ZIP_STORED, **entries: bytes
) -> Path:
    """Writes a file in PyTorch's zip format around a pickle, with one storage of six float32.

    entries: name -> content of further entries, in the archive's own folder where the name has
    none.
    """
    path = folder / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", structure)
        archive.writestr("archive/data/0", np.arange(6, dtype="<f4").tobytes())
        for name, content in entries.items():
            archive.writestr(name if "/" in name else f"archive/{name}", content)
    return path


def tensor_pickle(
    offset: str = "I0",
    shape: str = "(I2\nI3\nt",
    strides: str = "(I3\nI1\nt",
    storage: str = "torch\nFloatStorage",
    key: str = "0",
) -> bytes:
    """Returns the pickle of {"a": a tensor [2, 3]}, opcode by opcode."""
    described_storage = f"(Vstorage\nc{storage}\nV{key}\nVcpu\nI6\ntQ"
    arguments = f"({described_storage}{offset}\n{shape}{strides}I00\nNt"
    return f"(dVa\nctorch._utils\n_rebuild_tensor_v2\n{arguments}Rs.".encode()


class Harm:
    """An object whose pickle leaves a file behind when it is loaded."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")
