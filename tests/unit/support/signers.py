"""People with SSH keys of their own, who sign files as an approver would: by the real ssh-keygen."""

from __future__ import annotations

import subprocess
from pathlib import Path

from assay.formats.signatures import signature_of


class Signers:
    """Keys in a folder, and the list of who may sign."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.allowed = folder, folder / "allowed_signers"
        self.allowed.touch()

    def person(self, name: str, options: str = "") -> None:
        """Give `name` a key and put it on the list."""
        key = self.folder / f"key-{name}"
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)]
        subprocess.run(make, check=True, stdin=subprocess.DEVNULL)
        self.allow(name, name, options)

    def allow(self, name: str, holder: str, options: str = "") -> None:
        """Put `name` on the list with the key of `holder`."""
        public = (self.folder / f"key-{holder}.pub").read_text().split()[:2]
        with self.allowed.open("a") as file:
            file.write(" ".join(filter(None, (name, options, *public))) + "\n")

    def sign(self, file: Path, name: str, namespace: str, holder: str = "") -> None:
        """Sign `file` as `name`, with the key of `holder` (default: their own)."""
        words = [
            "ssh-keygen",
            "-q",
            "-Y",
            "sign",
            "-n",
            namespace,
            "-f",
            str(self.folder / f"key-{holder or name}"),
        ]
        with file.open("rb") as content, signature_of(file, name).open("wb") as signature:
            subprocess.run(words, check=True, stdin=content, stdout=signature, stderr=subprocess.DEVNULL)
