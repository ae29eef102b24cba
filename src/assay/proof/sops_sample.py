"""An encrypted file of the stack, of which violations change a copy."""

from __future__ import annotations

from pathlib import Path

from assay.errors import GuardError
from assay.proof.plant import Plant


PASSWORD = "-".join(("kX9", "vRq2", "Lw7p", "Tz4m"))  # opens nothing; never whole in this repository


def encrypted_sample(plant: Plant) -> str:
    """Return the text of the shortest encrypted manifest of the stack.

    Raises:
        GuardError: the stack has none.
    """
    files = [path for tree in plant.profile.sops.trees for path in sorted(Path(tree).glob("*.sops.yaml"))]
    texts = [text for text in (path.read_text(encoding="utf-8") for path in files) if values(text)]
    if not texts:
        raise GuardError(
            "the stack has no encrypted file to plant in", "set trees under [sops] in the profile"
        )
    return min(texts, key=len)


def values(text: str) -> list[int]:
    """Return the numbers of the lines with an encrypted value other than `mac`, from 1."""
    lines = enumerate(text.splitlines(), 1)
    return [number for number, line in lines if "ENC[" in line and not line.lstrip().startswith("mac:")]
