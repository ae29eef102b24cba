"""Secrets in clear in what Terraform reads and writes: sources, files of variables, plans, states.

Names and shapes are judged by the rules of the search in Git. Beside them counts what Terraform itself marks
as sensitive: it hides such a value on the screen, and writes it into plans and states in clear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.config.trees import SourceTree
from assay.errors import ProbeError
from assay.formats.hcl import Block, Hcl, attributes, tfvars
from assay.formats.hcl_value import evaluate
from assay.formats.parsing import parsing
from assay.formats.resource import Unresolved, Value
from assay.formats.yaml_text import Document, YamlScalar
from assay.model import Offender
from assay.origins.leaks import in_file
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.terraform.sources import TerraformSources
from assay.probes.terraform.state import TerraformState
from assay.secretscan.naming import is_benign
from assay.secretscan.text import by_leaf


OWN = ".terraform"
VALUES = {"variable": "default", "output": "value"}
# A mapping of values, and beside it the one that marks which of them are sensitive.
MARKS = {"values": "sensitive_values", "before": "before_sensitive", "after": "after_sensitive"}
HOLDERS = frozenset({*MARKS, "attributes", "change", "instances"})
SHORT = {"variables": "var", "outputs": "output", "output_changes": "output"}
MARKED = "Terraform marks it as sensitive"
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the Terraform sources, and the tree that it belongs to."""

    tree: SourceTree
    path: Path

    @property
    def ref(self) -> str:
        """Return `File infra/main.tf`."""
        return self.tree.ref(self.path)


def source_files(terraform: TerraformSources) -> list[SourceFile]:
    """Return every file of the Terraform sources, what Terraform itself keeps beside them left out."""
    return [
        SourceFile(tree, file)
        for tree in terraform.trees
        for file in tree.files(terraform.gaps)
        if OWN not in file.relative_to(tree.path).parts
    ]


def in_sources(terraform: TerraformSources, files: Iterable[SourceFile]) -> list[Offender]:
    """Return every secret in clear in the sources, `File folder/path:line`.

    A file that cannot be read or parsed is noted in the gaps of `terraform`.

    Args:
        terraform: the sources.
        files: those of `source_files`.
    """
    known, found = list(files), list[Offender]()
    for file in known:
        with terraform.gaps.part(file.ref):
            found += [
                Offender(f"{file.ref}:{line}", rule)
                for line, rule in in_file(file.path.name, _read(file.path))
            ]
    folders = {file.path.parent: file.tree for file in known if file.path.suffix in (".tf", ".tofu")}
    modules = [(tree, Hcl(folder, terraform.gaps)) for folder, tree in sorted(folders.items())]
    blocks = [(tree, module, one) for tree, module in modules for one in module.blocks if _sensitive(one)]
    for tree, module, block in blocks:
        node = attributes(block.body, block.where).get(VALUES[block.kind])
        if node is not None and _told(evaluate(node, {})):
            where = f"{tree.ref(module.path)}/{block.where}"
            found.append(Offender(where, f"{block.kind} {block.labels[0]}: {MARKED}"))
    names = {block.labels[0] for _, _, block in blocks if block.kind == "variable"}
    for file in known:
        if file.path.name.endswith((".tfvars", ".tfvars.json")):
            with terraform.gaps.part(file.ref):
                found += list(_set(file, names))
    return found


def _sensitive(block: Block) -> bool:
    node = attributes(block.body, block.where).get("sensitive") if block.kind in VALUES else None
    return node is not None and evaluate(node, {}) is True


def _set(file: SourceFile, names: Iterable[str]) -> Iterator[Offender]:
    rows = file.path.read_text(encoding="utf-8").splitlines()
    for name, value in tfvars(file.path).items():
        if name in names and _told(value):
            start = re.compile(rf'\s*"?{re.escape(name)}"?\s*[=:]')
            line = next((number for number, row in enumerate(rows, 1) if start.match(row)), 1)
            yield Offender(f"{file.ref}:{line}", f"variable {name}: {MARKED}")


def _told(value: Value) -> bool:
    """Return whether a value stands there, and is neither a reference nor a placeholder."""
    if isinstance(value, Mapping):
        return any(map(_told, value.values()))
    if isinstance(value, list):
        return any(map(_told, value))
    if isinstance(value, str):
        return not is_benign(value)
    return not isinstance(value, bool | Unresolved | None)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ProbeError(f"{file.name}: cannot be read: {error.strerror}", "check its permissions") from error


@parsing("the plan", "write it with terraform show -json PLAN")
def in_plan(plan: TerraformPlan) -> list[Offender]:
    """Return every secret in clear in a plan, by address: of a resource, `var.name` or `output.name`.

    Raises:
        ProbeError: it is no whole plan of a known format.
    """
    return _in_json(plan.path.name, plan.document, _declared_sensitive(plan.document))


@parsing("the state", "write it with terraform state pull")
def in_state(state: TerraformState) -> list[Offender]:
    """Return every secret in clear in a state, by address; none in one that is encrypted.

    Raises:
        ProbeError: it is no state of a known format.
    """
    return [] if state.encrypted else _in_json(state.path.name, state.document, [])


def _declared_sensitive(plan: Mapping[str, Any]) -> list[Place]:
    """Return the places of variables that the configuration in the plan marks as sensitive."""
    root = (plan.get("configuration") or {}).get("root_module") or {}
    known = (root.get("variables") or {}).items()
    return [("variables", name, "value") for name, one in known if one.get("sensitive")]


def _in_json(file: str, raw: Mapping[str, Any], marked: Iterable[Place]) -> list[Offender]:
    """Return what is secret in a document, each attribute of each address once."""
    document = Document(tuple(_leaves(raw, ())), 1)
    found = {leaf.path: rule for leaf, (_, rule) in by_leaf(document)}
    for place in [*marked, *_marked_places(raw, ())]:
        for leaf in document.under(*place):
            if not is_benign(leaf.text):
                found[leaf.path] = MARKED
    judged = {(_address(raw, path) or f"File {file}", _attribute(path)): why for path, why in found.items()}
    return [Offender(address, f"{file}: {what}: {why}") for (address, what), why in judged.items()]


def _leaves(value: Value, path: Place) -> Iterator[YamlScalar]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, (*path, number))
    elif value is not None and not isinstance(value, bool):
        yield YamlScalar(path, str(value), 1, 1)


def _marked_places(value: Value, path: Place) -> Iterator[Place]:
    """Yield every place that the document itself marks as sensitive, in a plan's way or in a state's."""
    if isinstance(value, Mapping):
        for key, marks in MARKS.items():
            yield from _parallel(value.get(key), value.get(marks), (*path, key))
        if value.get("sensitive") is True and "value" in value:
            yield (*path, "value")
        for steps in value.get("sensitive_attributes") or ():
            yield (*path, "attributes", *_steps(steps))
        for key, inner in value.items():
            yield from _marked_places(inner, (*path, str(key)))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _marked_places(inner, (*path, number))


def _parallel(value: Value, marks: Value, path: Place) -> Iterator[Place]:
    if marks is True:
        yield path
    elif isinstance(marks, Mapping) and isinstance(value, Mapping):
        for key in marks.keys() & value.keys():
            yield from _parallel(value[key], marks[key], (*path, key))
    elif isinstance(marks, list) and isinstance(value, list):
        for number, (inner, mark) in enumerate(zip(value, marks, strict=False)):
            yield from _parallel(inner, mark, (*path, number))


def _steps(steps: Sequence[Mapping[str, Any]]) -> Iterator[str | int]:
    """Yield the way to an attribute as a state writes it: names, and keys with their type."""
    for step in steps:
        key = step.get("value")
        key = key.get("value") if isinstance(key, Mapping) else key
        yield key if isinstance(key, str) else int(str(key))


def _address(raw: Value, path: Place) -> str:
    """Return the address of what a place belongs to, empty where it belongs to nothing that has one."""
    if path[0] == "planned_values" or path[0] == "values":
        path, raw = path[1:], raw[path[0]]
    found = f"{SHORT[str(path[0])]}.{path[1]}" if path[0] in SHORT and len(path) > 1 else ""
    for part in path:
        raw = raw[part]
        if isinstance(raw, Mapping) and "type" in raw and ("mode" in raw or "change" in raw):
            place = ".".join(str(raw[key]) for key in ("module", "type", "name") if raw.get(key))
            return str(raw.get("address") or place)
    return found


def _attribute(path: Place) -> str:
    inner = max((number for number, part in enumerate(path) if part in HOLDERS), default=-1) + 1
    return ".".join(map(str, path[inner:] or path[-1:]))
