"""The rules of SOPS, `.sops.yaml`: which one a file falls under, and whether they say what they should."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.yaml_text import Document, documents
from assay.probes.sops.file import OPTIONS, search


CONFIG = ".sops.yaml"
# Keys of a rule that are not master keys; whatever else stands there is one.
SETTINGS = frozenset({"path_regex", "key_groups", "shamir_threshold", "omit_extensions", "stores", *OPTIONS})
SPLIT = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True)
class CreationRule:
    """One creation rule: its place, its pattern, the age recipients, other kinds of keys, options.

    `groups` counts key groups, `threshold` is what Shamir's scheme asks for.
    """

    ref: str
    pattern: str
    recipients: frozenset[str]
    others: tuple[str, ...]
    groups: int
    threshold: str
    options: tuple[tuple[str, str], ...]

    def matches(self, path: str) -> bool:
        """Return True if the rule is for `path`, relative to the folder of its file."""
        return not self.pattern or search(self.pattern, path, self.ref)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """One `.sops.yaml`: its folder, its rules in order, whether files are encrypted by it today."""

    where: str
    path: Path
    rules: tuple[CreationRule, ...]
    in_force: bool

    def rule(self, file: Path) -> CreationRule | None:
        """Return the first rule for a file, as sops chooses it; None where there is none."""
        inner = (
            str(file.relative_to(self.path.parent)) if file.is_relative_to(self.path.parent) else str(file)
        )
        return next((rule for rule in self.rules if rule.matches(inner)), None)


def read_rulebook(path: Path, where: str, *, in_force: bool) -> Rulebook:
    """Return the rules of a `.sops.yaml`.

    Raises:
        ProbeError: it cannot be read, does not parse, has no creation rules, or a pattern is malformed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProbeError(f"{where}: cannot be read", "check the file and its permissions") from error
    docs = documents(text, where)
    if len(docs) != 1:
        raise ProbeError(f"{where}: {len(docs)} documents where sops reads one", "write one document")
    count = max(
        (
            leaf.path[1] + 1
            for leaf in docs[0].under("creation_rules")
            if len(leaf.path) > 2 and isinstance(leaf.path[1], int)
        ),
        default=0,
    )
    if not count:
        raise ProbeError(f"{where}: has no creation_rules", "write a rule for every secret path")
    return Rulebook(where, path, tuple(_rule(docs[0], number, where) for number in range(count)), in_force)


def _rule(document: Document, number: int, where: str) -> CreationRule:
    leaves = [leaf for leaf in document.under("creation_rules", number) if len(leaf.path) > 2]
    line = min((leaf.line for leaf in leaves), default=document.line)
    ref = f"File {where}:{line}"
    groups = {leaf.path[3] for leaf in leaves if leaf.path[2] == "key_groups" and len(leaf.path) > 3}
    age = [leaf.text for leaf in leaves if "age" in leaf.path[2:]]
    kinds = {_kind(leaf.path[2:]) for leaf in leaves if leaf.text} - SETTINGS - {"age", "", "merge"}
    plain = {str(leaf.path[2]): leaf.text for leaf in leaves if len(leaf.path) == 3}
    pattern = plain.get("path_regex", "")
    search(pattern, "", ref)
    return CreationRule(
        ref=ref,
        pattern=pattern,
        recipients=frozenset(one for text in age for one in SPLIT.split(text) if one),
        others=tuple(sorted(kinds)),
        groups=len(groups),
        threshold=plain.get("shamir_threshold", ""),
        options=tuple((key, plain[key]) for key in OPTIONS if plain.get(key)),
    )


def _kind(path: tuple[str | int, ...]) -> str:
    """Return the kind of master key that a value of a rule belongs to, in its own list or in a key group."""
    inner = path[2:] if path[0] == "key_groups" else path
    return str(inner[0]) if inner else ""
