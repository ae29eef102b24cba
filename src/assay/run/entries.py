"""What a line of evidence holds: the opening of a run, a judgement, or the closing of a run.

Only the fields named here are ever written. Texts that come from outside are cut to their longest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_args, get_origin, get_type_hints

from assay.errors import AssayError


LONGEST_TEXT = 2000
LONGEST_LIST = 500


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one test came to.

    Times are ISO 8601 UTC; offenders are (name, why), unread parts (name, why, remedy), numbers and limits
    (metric, value, unit), waivers (scope, how many offenders it covers). `found` is the number of offenders,
    however many are listed. `waived` says who accepted the failure, and is empty unless every offender is
    covered. `run` is the run that judged. `requests` is what was sent to judge: (system, verb, resource,
    effect, how often).
    """

    control: str
    digest: str
    owner: str
    tier: str
    test: str
    verdict: str
    reason: str = ""
    remedy: str = ""
    start: str = ""
    end: str = ""
    seconds: float = 0.0
    looked_at: int = 0
    expected: int = 0
    found: int = 0
    offenders: tuple[tuple[str, str], ...] = ()
    unread: tuple[tuple[str, str, str], ...] = ()
    numbers: tuple[tuple[str, float, str], ...] = ()
    limits: tuple[tuple[str, float, str], ...] = ()
    asked: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    standins: tuple[str, ...] = ()
    waivers: tuple[tuple[str, int], ...] = ()
    waived: str = ""
    violation: str = ""
    planted: str = ""
    caught: bool = False
    named: bool = False
    run: str = ""
    requests: tuple[tuple[str, str, str, str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    """The first line of a run: what it was asked to judge, before anything was.

    Attributes:
        started: ISO 8601 UTC.
        pairs: (control, tier) of every judgement that is to come.
        says: how that is narrower than the scope, empty if it is not.
        left_out: (control, tier, effect, why) of what the scope asks for and this run may not do.
        parts: (control, tier, effect) of what is judged but for a part that is not allowed.
        scope: the controls that the stack is accepted on.
        not_applicable: (control, reason) as the profile declares them.
        stand_ins: (part, reason, what it touches).
        overrides: (control, what the profile sets for it).
        policies: SHA-256 over the digests of all policies.
        settings: SHA-256 over what the profile says that a judgement may rest on.
        again: (control, tier) of what a run that completes an earlier one judges itself.
        joins: that earlier run's id, empty for a run of its own.
        joins_head: the hash of the earlier run's last line.
        joins_says: the join in words.
    """

    started: str
    pairs: tuple[tuple[str, str], ...] = ()
    says: str = ""
    left_out: tuple[tuple[str, str, str, str], ...] = ()
    parts: tuple[tuple[str, str, str], ...] = ()
    scope: tuple[str, ...] = ()
    not_applicable: tuple[tuple[str, str], ...] = ()
    stand_ins: tuple[tuple[str, str, str], ...] = ()
    overrides: tuple[tuple[str, str], ...] = ()
    policies: str = ""
    settings: str = ""
    again: tuple[tuple[str, str], ...] = ()
    joins: str = ""
    joins_head: str = ""
    joins_says: str = ""


@dataclass(frozen=True, slots=True)
class Closing:
    """The last line of a run; a file without one was cut off, or its run was killed.

    Attributes:
        ended: ISO 8601 UTC.
        count: how many lines stand before it.
        head: the hash of the last of them.
        outcome: `complete`, or `ended early`.
        gate: the last line that the run printed.
        code: its exit code.
        remarks: waivers that are expired, unused or unknown.
    """

    ended: str
    count: int
    head: str
    outcome: str
    gate: str
    code: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aside:
    """What a process of the run sent beside its judgements, as to see which cluster answers.

    Attributes:
        requests: (system, verb, resource, effect, how often).
    """

    requests: tuple[tuple[str, str, str, str, int], ...] = ()


Entry = Opening | Judgement | Aside | Closing
RECORDS: dict[str, type[Entry]] = {
    "opening": Opening,
    "judgement": Judgement,
    "aside": Aside,
    "closing": Closing,
}
IDENTITY = (
    "run",
    "kind",
    "stack",
    "stack_kind",
    "profile",
    "cluster_uid",
    "authority",
    "version",
    "revisions",
    "actor",
    "suite",
    "allowed",
)
ALLOWED = frozenset(
    (
        "record",
        "sequence",
        "prev",
        *IDENTITY,
        *(one.name for kind in RECORDS.values() for one in fields(kind)),
    )
)


def row_of(entry: Entry) -> dict[str, Any]:
    """Return an entry as plain values; of a judgement, each text and list is cut to its longest."""
    kind = next(name for name, one in RECORDS.items() if isinstance(entry, one))
    cut = _cut if isinstance(entry, Judgement) else _plain
    return {"record": kind, **{key: cut(value) for key, value in asdict(entry).items()}}


def entry_from(line: Mapping[str, Any]) -> Entry:
    """Return what an evidence line holds; a line that does not say what it is is a judgement.

    Raises:
        AssayError: a field that every such record has is missing, or one has another shape.
    """
    kind = RECORDS.get(str(line.get("record", "judgement")), Judgement)
    hints = get_type_hints(kind)
    try:
        return kind(**{key: _shaped(value, hints[key]) for key, value in line.items() if key in hints})
    except TypeError as problem:
        raise AssayError(
            "a line is not a record of a run: a field is missing or has another shape",
            "name a .jsonl file of reports/ as it was written",
        ) from problem


def _shaped(value: object, hint: Any) -> Any:  # noqa: ANN401 - a type, and a value of it
    """Return a value that was read from JSON as a field's type has it: lists as tuples.

    Raises:
        TypeError: it is not of that type.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        if len(kinds) == len(value):
            return tuple(_shaped(one, kind) for one, kind in zip(value, kinds, strict=True))
    elif origin is Mapping and isinstance(value, Mapping):
        return {str(key): _shaped(one, inner[1]) for key, one in value.items()}
    elif origin is None and isinstance(value, (int, float) if hint is float else hint):
        return value
    raise TypeError(f"{type(value).__name__} is not {hint}")


def _cut(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]} ... {len(value)} characters"
    if isinstance(value, Mapping):
        return {str(key): _cut(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(entry) for entry in value[:LONGEST_LIST]]
    return value


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
