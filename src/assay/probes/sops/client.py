"""SOPS: the files of secrets in the GitOps folder and the stack's own folders, their rules, the real check.

The static facts need no key; `opened` and `decrypted` run sops, with nothing but the given identity in reach.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from assay.config.platform import Exemption
from assay.config.sops_access import SopsAccess
from assay.config.trees import SourceTree, chart_of, source_trees
from assay.errors import AssumptionError, ProbeError
from assay.formats.parsing import WRONG
from assay.formats.tools import run_tool
from assay.formats.yaml_text import Shallow, documents, text_of
from assay.gaps import Gaps
from assay.probes.sops.file import SecretFile
from assay.probes.sops.rules import CONFIG, Rulebook, read_rulebook


SOPS_TIMEOUT_S = 60.0
READ = (".yaml", ".yml", ".json")
INNOCENT = ("README.md", ".gitattributes", ".gitignore", "kustomization.yaml")
# Exit codes of sops, and what each says of a file.
FAULTS = {
    51: "its message authentication code does not match: changed after encryption",
    24: "its message authentication code is missing or forged",
    52: "its message authentication code is missing or forged",
    25: "a value does not decrypt: forged, cut or moved from another place",
}
NO_KEY = (111, 128)


class Sops:
    """The encrypted files of one stack."""

    def __init__(
        self, access: SopsAccess, gitops: Sequence[Path], excluded: Sequence[Exemption] = ()
    ) -> None:
        """Read nothing yet.

        Args:
            access: the profile's [sops].
            gitops: the folders of the manifests, judged together with the folders of [sops].
            excluded: which files are not judged, and why.
        """
        self.access, self.gaps = access, Gaps()
        self._gitops, self._excluded = tuple(gitops), tuple(excluded)

    def need_recipients(self) -> SopsAccess:
        """Return the profile's [sops], which declares who may decrypt.

        Raises:
            AssumptionError: the profile declares nobody.
        """
        if not self.access.every_recipients:
            raise AssumptionError("the profile declares no recipients", "set recipients under [sops]")
        return self.access

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
        found = [one for tree, must in self._trees for one in self._below(tree, must)]
        if not found:
            names = ", ".join(tree.label for tree, _ in self._trees)
            remedy = "check gitops under [paths], trees under [sops] and [[paths.excluded]]"
            raise self.gaps.nothing_left(names, remedy)
        return sorted(found, key=lambda one: one.where)

    @cached_property
    def rulebooks(self) -> list[Rulebook]:
        """Return every `.sops.yaml`, the ones in force first.

        Raises:
            ProbeError: there is none at all, or one cannot be read.
        """
        found = {path.resolve(): path for tree, _ in self._trees for path in sorted(tree.path.rglob(CONFIG))}
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

    def opening_fault(self, file: SecretFile) -> str:
        """Return why a file does not open; empty where sops opens it and its code holds.

        What sops prints is not looked at here, so nothing of it can be shown. A file that none of the given
        identities may open is noted in `gaps`.

        Raises:
            ProbeError: no identity is given, or sops did not run.
        """
        code = self._sops(file.path)[0]
        if code in FAULTS or code == 0:
            return FAULTS.get(code, "")
        if code in NO_KEY and self._public() & {one for a in file.about if a for one in a.recipients}:
            return "the key wrapped for the given identity cannot be opened: broken"
        with self.gaps.part(file.ref):
            if code in NO_KEY:
                raise ProbeError(
                    f"{file.where}: none of the given identities is one of its recipients",
                    "give an age_key under [sops] that may decrypt it, or update the file's keys",
                )
            raise ProbeError(f"{file.where}: sops exited with {code}", "run sops decrypt on the file by hand")
        return ""

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
                f"{file.where}: is not YAML once decrypted ({type(why).__name__})", "encrypt YAML only"
            ) from None

    def _sops(self, path: Path) -> tuple[int, bytes]:
        binary, keys = self.access.binary, self.access.age_key
        if binary is None or not keys or not all(key.is_file() for key in keys):
            raise ProbeError(
                "the message authentication codes cannot be checked without an identity",
                "set binary and age_key under [sops]",
            )
        with tempfile.TemporaryDirectory(prefix="assay-sops-") as home:
            identities = Path(home) / "identities"
            identities.touch(mode=0o600)
            identities.write_bytes(b"\n".join(key.read_bytes() for key in keys))
            env = {"PATH": os.environ.get("PATH", ""), "HOME": home, "SOPS_AGE_KEY_FILE": str(identities)}
            argv = [binary, "--disable-version-check", "decrypt", path]
            remedy = "check binary under [sops]"
            done = run_tool(argv, SOPS_TIMEOUT_S, f"sops decrypt {path.name}", remedy=remedy, env=env)
        return done.code, done.out

    def _public(self) -> set[str]:
        """Return the public keys that age-keygen notes beside the identities."""
        texts = [key.read_text(encoding="utf-8", errors="replace") for key in self.access.age_key]
        lines = [line for text in texts for line in text.splitlines()]
        return {line.split(":", 1)[1].strip() for line in lines if line.startswith("# public key:")}

    @cached_property
    def _trees(self) -> list[tuple[SourceTree, bool]]:
        """Return the folders to read, with True for those that hold encrypted files only."""
        own = {tree.resolve() for tree in self.access.trees}
        shared = [tree for tree in self._gitops if tree.resolve() not in own]
        if not own and not shared:
            raise ProbeError("the profile names no folder with secrets", "set gitops or [sops] trees")
        trees = source_trees([*self.access.trees, *shared], self._excluded)
        return [(tree, number < len(self.access.trees)) for number, tree in enumerate(trees)]

    def _below(self, tree: SourceTree, must: bool) -> Iterator[SecretFile]:
        charts = {file.parent for file in tree.path.rglob("Chart.yaml")}
        for path in tree.files(self.gaps):
            public = ".pub" in path.suffixes
            hidden = not public and ((must and path.name not in INNOCENT) or ".sops." in path.name)
            if path.name == CONFIG or not (path.suffix in READ or hidden):
                continue
            if chart := chart_of(path, charts):
                self.gaps.not_rendered[tree.name(path)] = tree.name(chart)
                continue
            with self.gaps.part(tree.ref(path)):
                yield self._file(path, tree, hidden)

    def _file(self, path: Path, tree: SourceTree, must: bool) -> SecretFile:
        where = tree.name(path)
        text = text_of(path, where)
        if path.suffix not in READ and "sops_mac=" in text:
            raise ProbeError(f"{where}: of a format that is not read here", "keep secrets in YAML or JSON")
        docs = documents(text, where) if path.suffix in READ else []
        return SecretFile(where, path, tree.path, tuple(docs), text, must)

    def _where(self, path: Path) -> str:
        trees = [tree for tree, _ in self._trees if path.is_relative_to(tree.path)]
        tree = max(trees, key=lambda one: len(one.path.parts)) if trees else None
        return tree.name(path) if tree else f"{path.parent.name}/{path.name}"
