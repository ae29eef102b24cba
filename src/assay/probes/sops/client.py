"""SOPS: the files of secrets in the GitOps folder and the stack's own folders, their rules, the real check.

The static facts need no key; `opened` and `decrypted` run sops, with nothing but the given identity in reach.
"""

from __future__ import annotations

import os
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from assay.config.profile import SopsAccess
from assay.errors import AssumptionError, ProbeError
from assay.formats.parsing import WRONG
from assay.formats.tools import run_tool
from assay.formats.yaml_text import Shallow, documents, text_of
from assay.model import Offender
from assay.probes.sops.file import SecretFile
from assay.probes.sops.rules import CONFIG, Rulebook, read_rulebook


SOPS_TIMEOUT_S = 60.0
READ = (".yaml", ".yml", ".json")
INNOCENT = ("README.md", ".gitattributes", ".gitignore", "kustomization.yaml")
NO_MATCH, NO_CODE, NO_VALUE, NO_KEY = 51, (24, 52), 25, (111, 128)


class Sops:
    """The encrypted files of one stack."""

    def __init__(self, access: SopsAccess, gitops: Path | None) -> None:
        """Read nothing yet.

        Args:
            access: the profile's [sops].
            gitops: the folder of the manifests, judged together with the folders of [sops].
        """
        self.access = access
        self.gitops = gitops

    @property
    def declared(self) -> frozenset[str]:
        """Return the public keys of those who may decrypt.

        Raises:
            AssumptionError: the profile declares none.
        """
        if not self.access.recipients:
            raise AssumptionError("the profile declares no recipients", "set recipients under [sops]")
        return frozenset(self.access.recipients)

    @cached_property
    def files(self) -> list[SecretFile]:
        """Return every file with something to hide, by place.

        Raises:
            ProbeError: a folder is not there, a file cannot be read strictly, its format is not known here.
        """
        return [one for one in self.everything if one.sensitive]

    @cached_property
    def everything(self) -> list[SecretFile]:
        """Return every file of the folders, secret or not, by place; errors as for `files`."""
        found = [one for root, must in self._roots() for one in self._below(root, must)]
        return sorted(found, key=lambda one: one.where)

    @cached_property
    def rulebooks(self) -> list[Rulebook]:
        """Return every `.sops.yaml`, the ones in force first.

        Raises:
            ProbeError: there is none at all, or one cannot be read.
        """
        found = {path.resolve(): path for root, _ in self._roots() for path in sorted(root.rglob(CONFIG))}
        config = self.access.config
        if config is not None:
            found.setdefault(config.resolve(), config)
        if not found:
            raise ProbeError("no .sops.yaml anywhere", "write one into the GitOps folder")
        own = config.resolve() if config is not None else None
        books = [
            read_rulebook(path, self._where(path), in_force=own in (None, real))
            for real, path in found.items()
        ]
        return sorted(books, key=lambda book: not book.in_force)

    def rulebook(self, file: SecretFile) -> Rulebook | None:
        """Return the rules for a file: the next `.sops.yaml` above it in its tree, else the ones in force."""
        books = {book.path.resolve(): book for book in self.rulebooks}
        for folder in file.path.resolve().parents:
            if folder / CONFIG in books:
                return books[folder / CONFIG]
            if folder == file.root.resolve():
                break
        return next((book for book in self.rulebooks if book.in_force), None)

    def opened(self, file: SecretFile) -> Offender | None:
        """Return what is wrong with a file once it is decrypted; None if sops opens it and its code holds.

        What sops prints is not looked at here, so nothing of it can be shown.

        Raises:
            ProbeError: no identity is given, it is none of the file's recipients, or sops did not run.
        """
        code = self._sops(file.path)[0]
        if code == 0:
            return None
        if code == NO_MATCH:
            return Offender(
                file.ref, "its message authentication code does not match: changed after encryption"
            )
        if code in NO_CODE:
            return Offender(file.ref, "its message authentication code is missing or forged")
        if code == NO_VALUE:
            return Offender(file.ref, "a value does not decrypt: forged, cut or moved from another place")
        if code in NO_KEY and self._public() & {
            one for about in file.about if about for one in about.recipients
        }:
            return Offender(file.ref, "the key wrapped for the given identity cannot be opened: broken")
        if code in NO_KEY:
            raise ProbeError(
                f"{file.where}: the given identity is none of its recipients",
                "give an age_key under [sops] that may decrypt, or update the file's keys",
            )
        raise ProbeError(f"{file.where}: sops exited with {code}", "run sops decrypt on the file by hand")

    def decrypted(self, file: SecretFile) -> list[Any]:
        """Return the documents of a file, decrypted in memory. They hold secrets: show nothing of them.

        Raises:
            ProbeError: no identity is given, the file does not open, or what it holds is not YAML.
        """
        code, clear = self._sops(file.path)
        if code:
            raise ProbeError(f"{file.where}: does not decrypt (sops exits {code})", "SEC-21 says why")
        try:
            return [one for one in yaml.load_all(clear, Loader=Shallow) if one]
        except (yaml.YAMLError, *WRONG) as why:
            # Without the cause: it may quote what was decrypted.
            raise ProbeError(
                f"{file.where}: is no YAML once decrypted ({type(why).__name__})", "encrypt YAML only"
            ) from None

    def _sops(self, path: Path) -> tuple[int, bytes]:
        binary, key = self.access.binary, self.access.age_key
        if binary is None or key is None or not key.is_file():
            raise ProbeError(
                "the message authentication codes cannot be checked without an identity",
                "set binary and age_key under [sops]",
            )
        with tempfile.TemporaryDirectory(prefix="assay-sops-") as home:
            env = {"PATH": os.environ.get("PATH", ""), "HOME": home, "SOPS_AGE_KEY_FILE": str(key)}
            argv = [binary, "--disable-version-check", "decrypt", path]
            remedy = "check binary under [sops]"
            done = run_tool(argv, SOPS_TIMEOUT_S, f"sops decrypt {path.name}", remedy=remedy, env=env)
        return done.code, done.out

    def _public(self) -> set[str]:
        """Return the public key that age-keygen notes beside an identity."""
        key = self.access.age_key
        lines = key.read_text(encoding="utf-8", errors="replace").splitlines() if key else []
        return {line.split(":", 1)[1].strip() for line in lines if line.startswith("# public key:")}

    def _roots(self) -> list[tuple[Path, bool]]:
        """Return the folders to read, with True for those that hold encrypted files only."""
        roots = [(tree, True) for tree in self.access.trees]
        if self.gitops is not None and self.gitops.resolve() not in {tree.resolve() for tree, _ in roots}:
            roots.append((self.gitops, False))
        if not roots:
            raise ProbeError("the profile names no folder with secrets", "set gitops or [sops] trees")
        for root, _ in roots:
            if not root.is_dir():
                raise ProbeError(f"{root.name}: is no folder", "check trees under [sops] and gitops")
        return roots

    def _below(self, root: Path, must: bool) -> list[SecretFile]:
        found = []
        for path in sorted(p for p in root.rglob("*") if p.is_file() and p.name != CONFIG):
            hidden = (must and path.name not in INNOCENT) or ".sops." in path.name
            if path.suffix in READ or hidden:
                found.append(self._file(path, root, hidden))
        return found

    def _file(self, path: Path, root: Path, must: bool) -> SecretFile:
        where = self._where(path)
        text = text_of(path, where)
        if path.suffix not in READ and "sops_mac=" in text:
            raise ProbeError(f"{where}: of a format that is not read here", "keep secrets in YAML or JSON")
        docs = documents(text, where) if path.suffix in READ else []
        return SecretFile(where, path, root, tuple(docs), text, must)

    def _where(self, path: Path) -> str:
        roots = [root for root, _ in self._roots() if path.is_relative_to(root)]
        root = max(roots, key=lambda one: len(one.parts)) if roots else path.parent
        return str(Path(root.name) / path.relative_to(root))
