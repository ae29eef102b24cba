"""Whether the rules of SOPS, and the files that fall under them, name exactly the declared recipients (SEC-22)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from assay.config.sops_access import SopsAccess
from assay.model import Offender
from assay.probes.sops.file import SecretFile, search
from assay.probes.sops.rules import CreationRule, Rulebook


LEAKY = ("unencrypted_suffix", "unencrypted_regex", "encrypted_suffix")
# What a Secret keeps its values under.
HOLDERS = ("data", "stringData")


def rulebook_faults(book: Rulebook, access: SopsAccess, files: Iterable[SecretFile]) -> Iterator[Offender]:
    """Yield what is wrong with rules themselves, and rules that are never reached.

    Args:
        book: the rules.
        access: who may decrypt, as the profile declares.
        files: those that fall under the rules.
    """
    covered: dict[str, set[frozenset[str]]] = {}
    for file in files:
        if rule := book.rule(file.path):
            covered.setdefault(rule.ref, set()).add(access.recipients_of(file.where))
    before: set[str] = set()
    for rule in book.rules:
        if rule.recipients or book.in_force:
            yield from _recipients(rule, covered.get(rule.ref, ()), access.every_recipients)
        yield from _rule_faults(rule)
        if rule.pattern in before or "" in before:
            yield Offender(rule.ref, "is never reached: an earlier rule takes all of its files")
        before.add(rule.pattern)


def _rule_faults(rule: CreationRule) -> Iterator[Offender]:
    if rule.others:
        yield Offender(rule.ref, f"names other keys than age: {', '.join(rule.others)}")
    if rule.groups > 1:
        yield Offender(rule.ref, f"splits the key between {rule.groups} groups")
    if rule.threshold:
        yield Offender(rule.ref, f"sets shamir_threshold {rule.threshold}")
    options = dict(rule.options)
    for key in LEAKY:
        if options.get(key):
            yield Offender(rule.ref, f"leaves values in clear by their names ({key})")
    if pattern := options.get("encrypted_regex"):
        missed = [key for key in HOLDERS if not search(pattern, key, rule.ref)]
        if missed:
            yield Offender(rule.ref, f"leaves {', '.join(missed)} in clear (encrypted_regex)")


def _recipients(
    rule: CreationRule, covered: Collection[frozenset[str]], known: Sequence[frozenset[str]]
) -> Iterator[Offender]:
    """Yield how a rule's recipients differ from those of its files, or of any where it has none yet.

    Args:
        rule: the rule.
        covered: the recipients that are declared for the files that fall under it.
        known: each set of recipients that is declared.
    """
    if not rule.recipients:
        yield Offender(rule.ref, "names no age recipient")
        return
    nearest = min(known, key=lambda one: len(one ^ rule.recipients))
    for declared in covered or (nearest,):
        for one in sorted(rule.recipients - declared):
            yield Offender(rule.ref, f"names {one}, which is not declared")
        if absent := declared - rule.recipients:
            yield Offender(rule.ref, f"leaves out {len(absent)} of the declared recipients")


def drift(book: Rulebook, other: Rulebook) -> Iterator[Offender]:
    """Yield the rules of `book` that are not, in this order, those of `other`; recipients apart."""
    theirs = [(rule.pattern, rule.options) for rule in other.rules]
    for number, rule in enumerate(book.rules):
        if theirs[number : number + 1] != [(rule.pattern, rule.options)]:
            yield Offender(rule.ref, f"is not rule {number + 1} of {other.where}, which is in force")
    if len(theirs) > len(book.rules):
        lacking = len(theirs) - len(book.rules)
        yield Offender(f"File {book.where}", f"lacks {lacking} rules that are in force")


def recipient_faults(file: SecretFile, book: Rulebook | None, declared: frozenset[str]) -> Iterator[Offender]:
    """Yield how a file departs from its rule and from the recipients that are declared for it."""
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


def _asked(options: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the options that count; `_unencrypted` is what sops writes where a rule asks for nothing."""
    usual = (("unencrypted_suffix", "_unencrypted"), ("mac_only_encrypted", "false"))
    return {key: value for key, value in options if (key, value) not in usual}
