"""Secrets on the way into the cluster: encrypted by SOPS for the lab's age identity, decrypted on deployment.

The rules are those of `gitops/.sops.yaml`, with this lab's recipient. No value is ever written in clear.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from lab.build import BINARIES
from lab.layout import name_of, source


Manifest = dict[str, Any]
RULES = source("gitops/.sops.yaml")
FOLDER = "secrets"
MACHINES = "talos"
CONFIG = ".sops.yaml"
SUFFIX = ".sops.yaml"
IDENTITY = name_of("File", "age.key")
RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")
TIMEOUT_S = 60


class SopsError(RuntimeError):
    """sops or age failed; the message names the file and the exit code, never what the program printed."""


def identity(escrow: Path, name: str = IDENTITY) -> Path:
    """Return the file of an age identity of the lab, created on first use and readable by its owner only.

    Raises:
        SopsError: age-keygen failed.
    """
    file = escrow / name
    if not file.exists():
        escrow.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = _run([str(BINARIES / "age-keygen")], "a new identity")
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(made)
    return file


def recipient(own: Path) -> str:
    """Return the public half of an identity, `age1...`.

    Raises:
        SopsError: the file does not hold exactly one identity.
    """
    printed = _run([str(BINARIES / "age-keygen"), "-y", str(own)], own.name).strip()
    if not RECIPIENT.fullmatch(printed):
        raise SopsError(f"{own.name}: does not hold exactly one age identity")
    return printed


def folder(overlay: Path) -> Path:
    """Return the folder of an overlay's encrypted files, `STATE/overlay/secrets`."""
    return overlay / FOLDER


def key(overlay: Path) -> Path:
    """Return the identity that decrypts the files of an overlay, in `STATE/escrow`."""
    return identity(overlay.parent / "escrow")


def rules(overlay: Path) -> Path:
    """Write the effective rules beside the encrypted files and return their file.

    They are those of gitops/, with the lab's recipient under each.
    """
    file, to = folder(overlay) / CONFIG, recipient(key(overlay))
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    general = yaml.safe_load(RULES.read_text(encoding="utf-8"))["creation_rules"]
    own = {"creation_rules": [{**rule, "age": to} for rule in general]}
    file.write_text(yaml.safe_dump(own, sort_keys=False))
    return file


def encrypted(overlay: Path, part: str, manifests: list[Manifest]) -> Path | None:
    """Write `secrets/<part>.sops.yaml` into the overlay and return it; without manifests, remove it.

    A file that decrypts to the same manifests is not rewritten. Plain text goes through a pipe only.

    Args:
        overlay: `STATE/overlay`.
        part: name of the file.
        manifests: Secrets and ConfigMaps.

    Raises:
        SopsError: sops failed.
        ValueError: a manifest of another kind, which the rules would leave in clear.
    """
    file = folder(overlay) / f"{part}{SUFFIX}"
    if wrong := [d["kind"] for d in manifests if d["kind"] not in ("Secret", "ConfigMap")]:
        raise ValueError(f"{file.name}: {', '.join(wrong)} would not be encrypted")
    if manifests:
        return _kept(overlay, file, manifests)
    rules(overlay)
    file.unlink(missing_ok=True)
    return None


def bundle(overlay: Path, clear: Path) -> Path:
    """Write `secrets/talos/secrets.sops.yaml`, the machines' secrets bundle, and return it.

    The bundle itself is in the escrow kit; this is how Git would hold it, every value encrypted. It is not
    meant for the cluster, so `decrypted` leaves it out.

    Args:
        overlay: `STATE/overlay`.
        clear: the bundle as `talosctl gen secrets` wrote it.

    Raises:
        SopsError: sops failed.
    """
    file = folder(overlay) / MACHINES / f"{clear.stem}{SUFFIX}"
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _kept(overlay, file, [yaml.safe_load(clear.read_text(encoding="utf-8"))])


def _kept(overlay: Path, file: Path, documents: list[Manifest]) -> Path:
    config = rules(overlay)
    if not (file.exists() and _same(file, key(overlay), documents)):
        words = ["--config", str(config), "encrypt", "--filename-override", str(file)]
        draft = file.with_suffix(".new")
        draft.write_text(_sops(words, file.name, yaml.safe_dump_all(documents, sort_keys=False)))
        draft.rename(file)
    return file


def decrypted(overlay: Path) -> list[Manifest]:
    """Return the manifests of every encrypted file of the overlay, in the order of file names.

    Raises:
        SopsError: a file does not decrypt, or its MAC does not match.
    """
    files = sorted(f for f in folder(overlay).glob(f"*{SUFFIX}") if f.name != CONFIG)
    return [document for file in files for document in _open(file, key(overlay))]


def table(binaries: Path, overlay: Path) -> dict[str, Any]:
    """Return the profile's [sops]: program, identity, rules, files and recipients."""
    own = key(overlay)
    return {
        "binary": str(binaries / "sops"),
        "age_key": str(own),
        "config": str(folder(overlay) / CONFIG),
        "trees": [str(folder(overlay))],
        "recipients": [recipient(own)],
    }


def _open(file: Path, own: Path) -> list[Manifest]:
    printed = _sops(["decrypt", str(file)], file.name, own=own)
    return [document for document in yaml.safe_load_all(printed) if document]


def _same(file: Path, own: Path, manifests: list[Manifest]) -> bool:
    try:
        return _open(file, own) == manifests
    except SopsError:
        return False


def _sops(words: list[str], about: str, text: str = "", own: Path | None = None) -> str:
    argv = [str(BINARIES / "sops"), "--disable-version-check", *words]
    return _run(argv, about, text, {"SOPS_AGE_KEY_FILE": str(own)} if own else {})


def _run(argv: list[str], about: str, text: str = "", more: dict[str, str] | None = None) -> str:
    """Run one of the programs with access to no identity but the given one."""
    env = {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent", **(more or {})}
    try:
        done = subprocess.run(
            argv, input=text, capture_output=True, text=True, env=env, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise SopsError(f"{about}: {Path(argv[0]).name} did not run ({type(problem).__name__})") from None
    if done.returncode:
        raise SopsError(f"{about}: {Path(argv[0]).name} exited with {done.returncode}")
    return done.stdout
