"""The catalogue.

Policies read from `policies/`, and for each control the test and the violations that belong to it.
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.config.toml import Table, read_toml
from assay.effect import Effect
from assay.errors import CatalogueError, ProfileError
from assay.model import Control, Limit, Override, Tier
from assay.right import GRANTING, DeclaredRight


CONTROL_ID = re.compile(r"[A-Z]{2,5}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class SpecFinding:
    """Where the specification contradicts itself or the facts; bears on `control` (empty: on none)."""

    id: str
    says: str
    fact: str
    evidence: str
    control: str


@dataclass(frozen=True, slots=True)
class Case:
    """One test function of a control, as its file declares it."""

    control: str
    tier: Tier
    path: Path
    function: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All controls by id, the findings of kind SPEC, and the cases that judge controls.

    `root` holds `policies/`.
    """

    root: Path
    controls: Mapping[str, Control]
    findings: tuple[SpecFinding, ...]
    cases: tuple[Case, ...]

    @property
    def judged(self) -> set[str]:
        """Return the ids of the controls that have a test."""
        return {case.control for case in self.cases}


def names(control: str) -> tuple[str, str, str]:
    """Return the paths of a control's policy, test and violations, relative to the root."""
    family, word = control.split("-")[0].lower(), control.lower().replace("-", "_")
    return (
        f"policies/{family}/{control}.toml",
        f"acceptance/{family}/test_{word}.py",
        f"violations/{family}/{word}.py",
    )


def load_catalogue(root: Path) -> Catalogue:
    """Return the catalogue below `root`.

    Raises:
        CatalogueError: no policies, or one is malformed, misplaced or there twice; a test without its policy.
    """
    controls: dict[str, Control] = {}
    for path in sorted((root / "policies").glob("*/*.toml")):
        control = read_policy(path, root)
        if control.id in controls:
            raise CatalogueError(f"{_short(path, root)}: id {control.id} is there twice", "ids are unique")
        controls[control.id] = control
        _check_place(path, root, control)
    if not controls:
        raise CatalogueError(
            f"{root}: no policies/<family>/<ID>.toml", "run from the folder that holds policies/"
        )
    findings = _findings(root / "policies" / "findings.toml", root)
    cases = [case for path in _sources(root, "acceptance") for case in _cases(path, root, controls)]
    return Catalogue(root, controls, findings, tuple(cases))


def policies_digest(catalogue: Catalogue) -> str:
    """Return the SHA-256 over the ids and digests of all policies: what a run was judged by."""
    lines = [f"{name} {control.digest}" for name, control in sorted(catalogue.controls.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def check_trios(catalogue: Catalogue, only: Sequence[str] = ()) -> None:
    """Check, for all controls or `only` some, that tests, violations and policies come in threes.

    Raises:
        CatalogueError: names the first file that is missing.
    """
    for control in sorted(catalogue.judged):
        if (not only or control in only) and not (catalogue.root / names(control)[2]).is_file():
            raise CatalogueError(f"{control}: a test without {names(control)[2]}", "plant what it must catch")
    judged = {names(control)[2] for control in catalogue.judged}
    for path in _sources(catalogue.root, "violations"):
        control = path.stem.upper().replace("_", "-")
        if _short(path, catalogue.root) not in judged and (not only or control in only):
            raise CatalogueError(
                f"{_short(path, catalogue.root)}: a violation without its test", "add it, or delete this"
            )


def read_policy(path: Path, root: Path) -> Control:
    """Return the control that one policy file holds.

    Raises:
        CatalogueError: one line that names the file and the key.
    """
    table = Table(_short(path, root), read_toml(path, CatalogueError), CatalogueError, path.parent)
    tiers = _tiers(table)
    control = Control(
        id=table.needed("id"),
        statement=table.needed("statement"),
        source=table.needed("source"),
        owner=table.needed("owner"),
        tiers=tiers,
        remedy=table.needed("remedy"),
        limits=tuple(_limit(entry) for entry in table.tables("limits")),
        needs=table.texts("needs"),
        maps=_lists(table.table("maps")),
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        lists=_lists(table.table("lists")),
        tables=_tables(table.table("tables")),
        effects=_effects(table, "effects", tiers),
        further=_effects(table, "further", tiers),
        rights=_rights(table.table("rights"), tiers),
    )
    table.close()
    if not CONTROL_ID.fullmatch(control.id):
        raise table.complain("id", "a control id such as SEC-27")
    return control


def check_overrides(catalogue: Catalogue, overrides: Mapping[str, Override]) -> None:
    """Check that a profile overrides only what it may: the suite's own numbers and lists.

    Raises:
        ProfileError: an unknown control, metric or list, or a number that the specification gives.
    """
    for name, one in overrides.items():
        control = catalogue.controls.get(name)
        if control is None:
            raise ProfileError(f'[controls."{name}"]: no such control', "ids are listed in docs/coverage.md")
        limits = {limit.metric: limit for limit in control.limits}
        for key in (*one.numbers, *one.lists):
            if key in limits and limits[key].specified:
                fixed = f"{limits[key].value:g} {limits[key].unit}"
                raise ProfileError(
                    f'[controls."{name}"]: {key} is {fixed} by the specification',
                    "remove it: a profile sets only what the specification leaves open",
                )
            if key not in (limits if key in one.numbers else control.lists):
                known = ", ".join(sorted({*limits, *control.lists})) or "none"
                raise ProfileError(
                    f'[controls."{name}"]: {key} is not a number or list of {name}', f"it has: {known}"
                )


def _short(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _sources(root: Path, folder: str) -> list[Path]:
    return [path for path in sorted((root / folder).glob("**/*.py")) if path.name != "__init__.py"]


def _check_place(path: Path, root: Path, control: Control) -> None:
    if _short(path, root) != names(control.id)[0]:
        raise CatalogueError(
            f"{_short(path, root)}: id is {control.id}", f"move it to {names(control.id)[0]}"
        )


def _tiers(table: Table) -> tuple[Tier, ...]:
    known = {str(tier): tier for tier in Tier}
    written = table.texts("tiers")
    if not written or len(set(written)) != len(written) or not set(written) <= set(known):
        raise table.complain("tiers", f"a list of {', '.join(known)}, each once")
    return tuple(known[word] for word in written)


def _effects(table: Table, key: str, tiers: Sequence[Tier]) -> dict[Tier, Effect]:
    known, written = {str(effect): effect for effect in Effect}, table.mapping(key)
    if not set(written) <= set(tiers) or not set(written.values()) <= set(known):
        raise table.complain(key, f"a table of tier = effect, each one of {', '.join(known)}")
    return {Tier(tier): known[word] for tier, word in written.items()}


def _rights(table: Table, tiers: Sequence[Tier]) -> dict[Tier, tuple[DeclaredRight, ...]]:
    found = {tier: tuple(_right(entry) for entry in table.tables(tier)) for tier in tiers}
    table.close()
    return {tier: rights for tier, rights in found.items() if rights}


def _right(table: Table) -> DeclaredRight:
    effects = {str(effect): effect for effect in Effect}
    effect = table.text("effect", str(Effect.READS))
    right = DeclaredRight(
        system=table.needed("system"),
        verbs=table.texts("verbs"),
        on=table.texts("on"),
        names=table.texts("names"),
        effect=effects.get(effect, Effect.READS),
        place=table.text("place"),
        only=table.text("only"),
        tried=table.flag("tried"),
        beside=table.flag("beside"),
        optional=table.flag("optional"),
        grant=table.text("grant"),
        why=table.text("why"),
    )
    table.close()
    for key, known, fits in (
        ("system", f"one of {', '.join(GRANTING)}", right.system in GRANTING),
        ("effect", f"one of {', '.join(effects)}", effect in effects),
        ("verbs", "given, as a list", bool(right.verbs)),
        ("on", "given, as a list", bool(right.on)),
    ):
        if not fits:
            raise table.complain(key, known)
    return right


def _limit(table: Table) -> Limit:
    value = table.number("value") if "value" in table.values else None
    limit = Limit(value, table.needed("unit"), table.needed("metric"), table.flag("specified"))
    table.close()
    if value is None and limit.specified:
        raise table.complain("value", "given where the specification gives it")
    if value is not None and not math.isfinite(value):
        raise table.complain("value", "a finite number")
    return limit


def _lists(table: Table) -> dict[str, tuple[str, ...]]:
    return {key: table.texts(key) for key in table.values}


def _tables(table: Table) -> dict[str, tuple[dict[str, str], ...]]:
    return {
        name: tuple({key: row.needed(key) for key in row.values} for row in table.tables(name))
        for name in table.values
    }


def _findings(path: Path, root: Path) -> tuple[SpecFinding, ...]:
    if not path.is_file():
        return ()
    top = Table(_short(path, root), read_toml(path, CatalogueError), CatalogueError, path.parent)
    findings = []
    for table in top.tables("finding"):
        says, fact, evidence = (table.needed(key) for key in ("says", "fact", "evidence"))
        findings.append(SpecFinding(table.needed("id"), says, fact, evidence, table.text("control")))
        table.close()
    top.close()
    return tuple(findings)


def _cases(path: Path, root: Path, controls: Mapping[str, Control]) -> list[Case]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as problem:
        raise CatalogueError(
            f"{_short(path, root)}: not valid Python: {problem}", "fix the test"
        ) from problem
    functions = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    if not functions or not path.name.startswith("test_"):
        raise CatalogueError(f"{_short(path, root)}: holds no test", "acceptance/ holds tests only")
    return [_case(function, path, root, controls) for function in functions]


def _case(function: ast.FunctionDef, path: Path, root: Path, controls: Mapping[str, Control]) -> Case:
    where = f"{_short(path, root)}: {function.name}"
    marks = [
        call
        for call in function.decorator_list
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.control"
    ]
    if len(marks) != 1:
        raise CatalogueError(f"{where}: names no control", 'write @pytest.mark.control("SEC-27") above it')
    words = [value.value for value in marks[0].args if isinstance(value, ast.Constant)]
    words += [pair.value.value for pair in marks[0].keywords if isinstance(pair.value, ast.Constant)]
    control = controls.get(str(words[0]) if words else "")
    if control is None:
        raise CatalogueError(
            f"{where}: no policy for {words[:1]}", "a test needs its policies/<family>/<ID>.toml"
        )
    if _short(path, root) != names(control.id)[1]:
        raise CatalogueError(f"{where}: judges {control.id}", f"move it to {names(control.id)[1]}")
    tier = str(words[1]) if len(words) > 1 else str(control.tiers[-1])
    if tier not in control.tiers:
        raise CatalogueError(
            f"{where}: tier {tier!r} is not among the policy's", "add it to tiers, or fix the mark"
        )
    return Case(control.id, Tier(tier), path, function.name)
