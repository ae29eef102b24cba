"""The rules of SOPS, `.sops.yaml`: which one a file falls under, and whether they say what they should."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.yaml_text import Document, documents
from assay.model import Offender
from assay.probes.sops.file import OPTIONS, VALUES, SecretFile, search


CONFIG = ".sops.yaml"
OTHER_KEYS = ("pgp", "kms", "gcp_kms", "azure_keyvault", "hc_vault_transit_uri")
LEAKY = ("unencrypted_suffix", "unencrypted_regex", "encrypted_suffix")
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

    def faults(self, declared: frozenset[str], *, in_force: bool) -> Iterator[Offender]:
        """Yield what is wrong with the rule by itself.

        Args:
            declared: the public keys of those who may decrypt.
            in_force: a rule that is not may leave the recipients to each stack.
        """
        if self.recipients or in_force:
            yield from self._recipients(declared)
        if self.others:
            yield Offender(self.ref, f"names other keys than age: {', '.join(self.others)}")
        if self.groups > 1:
            yield Offender(self.ref, f"splits the key between {self.groups} groups")
        if self.threshold:
            yield Offender(self.ref, f"sets shamir_threshold {self.threshold}")
        options = dict(self.options)
        for key in LEAKY:
            if options.get(key):
                yield Offender(self.ref, f"leaves values in clear by their names ({key})")
        if options.get("mac_only_encrypted") == "true":
            yield Offender(self.ref, "authenticates encrypted values only (mac_only_encrypted)")
        if pattern := options.get("encrypted_regex"):
            missed = [key for key in sorted(VALUES) if not search(pattern, key, self.ref)]
            if missed:
                yield Offender(self.ref, f"leaves {', '.join(missed)} in clear (encrypted_regex)")

    def _recipients(self, declared: frozenset[str]) -> Iterator[Offender]:
        if not self.recipients:
            yield Offender(self.ref, "names no age recipient")
            return
        for one in sorted(self.recipients - declared):
            yield Offender(self.ref, f"names {one}, which is not declared")
        if absent := declared - self.recipients:
            yield Offender(self.ref, f"leaves out {len(absent)} of the declared recipients")


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

    def faults(self, declared: frozenset[str]) -> Iterator[Offender]:
        """Yield what is wrong with the rules themselves, and rules that are never reached."""
        before: set[str] = set()
        for rule in self.rules:
            yield from rule.faults(declared, in_force=self.in_force)
            if rule.pattern in before or "" in before:
                yield Offender(rule.ref, "is never reached: an earlier rule takes all of its files")
            before.add(rule.pattern)

    def drift(self, other: Rulebook) -> Iterator[Offender]:
        """Yield the rules that are not, in this order, those of `other`; recipients apart."""
        theirs = [(rule.pattern, rule.options) for rule in other.rules]
        for number, rule in enumerate(self.rules):
            if theirs[number : number + 1] != [(rule.pattern, rule.options)]:
                yield Offender(rule.ref, f"is not rule {number + 1} of {other.where}, which is in force")
        if len(theirs) > len(self.rules):
            yield Offender(
                f"File {self.where}", f"lacks {len(theirs) - len(self.rules)} rules that are in force"
            )


def file_faults(file: SecretFile, book: Rulebook | None, declared: frozenset[str]) -> Iterator[Offender]:
    """Yield how a file departs from its rule and from the declared recipients."""
    rule = book.rule(file.path) if book else None
    if rule is None:
        yield Offender(file.ref, "no rule of .sops.yaml is for this path")
        return
    for about in {about for about in file.about if about is not None}:
        own = frozenset(about.recipients)
        if foreign := sorted(own - declared):
            yield Offender(file.ref, f"can be opened by {', '.join(foreign)}, which is not declared")
        if absent := declared - own:
            yield Offender(file.ref, f"cannot be opened by {len(absent)} of the declared recipients")
        if rule.recipients and own != rule.recipients:
            yield Offender(file.ref, f"is not encrypted to the recipients of {rule.ref}: updatekeys is due")
        if about.others:
            yield Offender(file.ref, f"can be opened by other keys than age: {', '.join(about.others)}")
        if about.threshold:
            yield Offender(file.ref, f"needs {about.threshold} key groups to be opened")
        if _asked(about.options) != _asked(rule.options):
            yield Offender(file.ref, f"was encrypted with other options than {rule.ref} asks for")


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
    keys = {str(part) for leaf in leaves for part in leaf.path[2:] if leaf.text} & {*OTHER_KEYS, "hc_vault"}
    plain = {str(leaf.path[2]): leaf.text for leaf in leaves if len(leaf.path) == 3}
    pattern = plain.get("path_regex", "")
    search(pattern, "", ref)
    return CreationRule(
        ref=ref,
        pattern=pattern,
        recipients=frozenset(one for text in age for one in SPLIT.split(text) if one),
        others=tuple(sorted(keys)),
        groups=len(groups),
        threshold=plain.get("shamir_threshold", ""),
        options=tuple((key, plain[key]) for key in OPTIONS if plain.get(key)),
    )


def _asked(options: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the options that count; `_unencrypted` is what sops writes where a rule asks for nothing."""
    return {
        k: v
        for k, v in options
        if (k, v) not in (("unencrypted_suffix", "_unencrypted"), ("mac_only_encrypted", "false"))
    }
