"""Terraform sources of one root module, read with python-hcl2 and computed as far as files alone allow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.hcl_text import parse_file, parse_text, read_text
from assay.formats.hcl_value import HclNode, evaluate, hcl_pairs, is_node, nodes, text
from assay.formats.resource import Resource, Unresolved, Value
from assay.gaps import Gaps


ENDINGS = (".tf", ".tofu", ".tf.json", ".tofu.json")
META = ("count", "for_each", "dynamic", "lifecycle", "provisioner", "connection")


@dataclass(frozen=True, slots=True)
class Block:
    """One top-level block: type, labels, and its body in the syntax tree. `where` is `file:line`."""

    kind: str
    labels: tuple[str, ...]
    body: HclNode
    where: str


class _Locals(Mapping[str, Value]):
    """The locals, computed when asked for; a circle comes out unresolved."""

    def __init__(self, expressions: dict[str, HclNode], scope: dict[str, Value]) -> None:
        self._expressions, self._scope, self._known = expressions, scope, dict[str, Value]()

    def __getitem__(self, name: str) -> Value:
        if name not in self._known:
            self._known[name] = Unresolved(f"local.{name}", "refers to itself")
            self._known[name] = evaluate(self._expressions[name], self._scope)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._expressions)

    def __len__(self) -> int:
        return len(self._expressions)


class Hcl:
    """A root module: the `*.tf` and `*.tofu` files of one folder with `terraform.tfvars` and `*.auto.tfvars`.

    A file that cannot be read or parsed, one of a kind that is not read here (`.tf.json`, overrides), and a
    block that cannot be computed are noted in `gaps` and left out.
    """

    def __init__(self, path: Path, gaps: Gaps | None = None, label: str = "") -> None:
        """Read nothing yet.

        Args:
            path: the folder.
            gaps: where to note what is left out.
            label: what tells the files of this module from those of another, in messages.
        """
        self.path, self.gaps, self._label = path, gaps or Gaps(), label

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Return every top-level block, by file name, then line."""
        if not self.path.is_dir():
            raise ProbeError(
                f"{self.path.name} is not a folder", "set infra under [paths] to the Terraform folder"
            )
        files = self._files()
        if not files:
            raise ProbeError(
                f"{self.path.name} holds no .tf file",
                "set infra under [paths] to a root module, or plan to what Terragrunt planned",
            )
        found = []
        for file in files:
            with self.gaps.part(f"File {self._name(file)}"):
                found += list(_blocks(file, self._name(file)))
        return tuple(found)

    @cached_property
    def variables(self) -> dict[str, Value]:
        """Return the input variables: tfvars over defaults; one without either is `Unresolved`."""
        found: dict[str, Value] = {}
        for block in self._of("variable"):
            default = attributes(block.body, block.where).get("default")
            name = block.labels[0]
            if name in found:
                raise ProbeError(f"{block.where}: variable {name} is declared twice", "keep one declaration")
            found[name] = (
                Unresolved(f"var.{name}", "has no default and no tfvars file sets it")
                if default is None
                else evaluate(default, {})
            )
        return {**found, **{name: value for name, value in self._tfvars().items() if name in found}}

    @cached_property
    def scope(self) -> dict[str, Value]:
        """Return what expressions may refer to: `var` and `local`."""
        scope: dict[str, Value] = {"var": self.variables}
        expressions: dict[str, HclNode] = {}
        for block in self._of("locals"):
            for name, node in attributes(block.body, block.where).items():
                if name in expressions:
                    raise ProbeError(f"{block.where}: local {name} is defined twice", "keep one definition")
                expressions[name] = node
        scope["local"] = _Locals(expressions, scope)
        return scope

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """Return the module calls, `module.name`.

        What they make is not in `resources`: only a plan knows it.
        """
        return tuple(f"module.{block.labels[0]}" for block in self._of("module"))

    def resources(self, kind: str = "") -> list[Resource]:
        """Return every instance of the managed resources of one type, or of all types.

        Raises:
            ProbeError: two resources share one address.
        """
        found: list[Resource] = []
        for block in self._of("resource"):
            if kind in ("", block.labels[0]):
                with self.gaps.part(f"File {block.where}"):
                    found += self._expand(block)
        seen: set[str] = set()
        for one in found:
            if one.address in seen:
                raise ProbeError(f"{one.where}: {one.address} is declared twice", "rename one of the two")
            seen.add(one.address)
        return found

    def settings(self) -> list[Resource]:
        """Return the `terraform` blocks' nested blocks (backend, encryption, required_providers).

        Labels as names.
        """
        return [
            Resource(
                str(text(inner.children[0])),
                _labels(inner)[0] if _labels(inner) else "",
                _body(_body_of(inner), {}, block.where),
                block.where,
            )
            for block in self._of("terraform")
            for inner in _inner_blocks(block.body)
        ]

    def _of(self, kind: str) -> list[Block]:
        return [block for block in self.blocks if block.kind == kind]

    def _files(self) -> list[Path]:
        """Return the files that are read, by name; the others of the module are noted.

        Terraform passes over names that begin with a dot, as those of editors' locks do.
        """
        found, unread = list[Path](), list[Path]()
        every = (file for end in ENDINGS for file in self.path.glob(f"*{end}"))
        for file in sorted(file for file in every if not file.name.startswith(".")):
            twice = file.suffix == ".tf" and file.with_suffix(".tofu").exists()
            json_or_override = (
                file.suffix == ".json" or file.stem == "override" or file.stem.endswith("_override")
            )
            (unread if twice or json_or_override else found).append(file)
        for file in unread:
            with self.gaps.part(f"File {self._name(file)}"):
                raise ProbeError(
                    f"{self._name(file)}: such files are not read here",
                    "write it as ordinary .tf, or give a plan",
                )
        return found

    def _name(self, file: Path) -> str:
        return f"{self._label}/{file.name}" if self._label else file.name

    def _tfvars(self) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for file in [
            self.path / "terraform.tfvars",
            self.path / "terraform.tfvars.json",
            *sorted(self.path.glob("*.auto.tfvars*")),
        ]:
            if file.is_file():
                values.update(tfvars(file))
        return values

    def _expand(self, block: Block) -> list[Resource]:
        kind, name = block.labels
        meta = attributes(block.body, block.where)
        if "count" in meta:
            number = evaluate(meta["count"], self.scope)
            if isinstance(number, bool) or not isinstance(number, int):
                return [self._uncounted(block, meta["count"])]
            return [self._instance(block, index, {"count": {"index": index}}) for index in range(number)]
        if "for_each" in meta:
            items = _items(evaluate(meta["for_each"], self.scope))
            if items is None:
                return [self._uncounted(block, meta["for_each"])]
            return [
                self._instance(block, str(key), {"each": {"key": key, "value": value}})
                for key, value in items
            ]
        return [Resource(kind, name, _body(block.body, self.scope, block.where), block.where)]

    def _instance(self, block: Block, key: int | str, extra: dict[str, Value]) -> Resource:
        kind, name = block.labels
        return Resource(kind, name, _body(block.body, {**self.scope, **extra}, block.where), block.where, key)

    def _uncounted(self, block: Block, node: HclNode) -> Resource:
        kind, name = block.labels
        why = Unresolved(text(node), "the number of instances is not known from the files")
        return Resource(kind, name, _body(block.body, self.scope, block.where), block.where, None, why)


def _items(collection: Value) -> list[tuple[Value, Value]] | None:
    """Return what for_each goes over: (key, value) of a mapping, (element, element) of a set."""
    if isinstance(collection, list):
        return (
            None
            if any(isinstance(value, Unresolved) for value in collection)
            else [(value, value) for value in collection]
        )
    return hcl_pairs(collection)


def sections(written: str, name: str) -> list[tuple[str, tuple[str, ...], dict[str, Value]]]:
    """Return the blocks of one HCL text that is no Terraform: kind, labels, attributes, in order.

    Attributes outside of a block come first, as a block without kind. `name` is for messages.

    Raises:
        ProbeError: it does not parse, or an attribute is set twice.
    """
    found, loose = [], {}
    for number, node in enumerate(nodes(parse_text(written, name)), 1):
        where = f"{name}: part {number}"
        if node.data == "block":
            found.append((text(node.children[0]), _labels(node), _body(_body_of(node), {}, where)))
        elif node.data == "attribute":
            loose[text(node.children[0])] = evaluate([p for p in node.children if is_node(p)][-1], {})
    return [("", (), loose), *found] if loose else found


def _blocks(file: Path, name: str) -> Iterator[Block]:
    for node in nodes(parse_file(file)):
        where = f"{name}:{node.meta.line}"  # type: ignore[attr-defined]
        if node.data != "block":
            raise ProbeError(
                f"{where}: an attribute outside of a block", "run terraform validate on the module"
            )
        kind = text(node.children[0])
        wanted = {
            "resource": 2,
            "data": 2,
            "variable": 1,
            "module": 1,
            "output": 1,
            "provider": 1,
            "locals": 0,
            "terraform": 0,
        }
        if len(_labels(node)) != wanted.get(kind, len(_labels(node))):
            raise ProbeError(
                f"{where}: {kind} takes {wanted[kind]} labels", "run terraform validate on the module"
            )
        yield Block(kind, _labels(node), _body_of(node), where)


def _labels(block: HclNode) -> tuple[str, ...]:
    return tuple(text(child).strip('"') for child in nodes(block)[1:] if child.data != "body")


def _body_of(block: HclNode) -> HclNode:
    return next(child for child in nodes(block) if child.data == "body")


def _inner_blocks(body: HclNode) -> list[HclNode]:
    return [child for child in nodes(body) if child.data == "block"]


def attributes(body: HclNode, where: str) -> dict[str, HclNode]:
    """Return name -> expression of a body.

    Raises:
        ProbeError: an attribute is set twice.
    """
    found: dict[str, HclNode] = {}
    for child in nodes(body):
        if child.data != "attribute":
            continue
        name = text(child.children[0])
        if name in found:
            raise ProbeError(f"{where}: {name} is set twice", "keep one; Terraform refuses the file too")
        found[name] = [part for part in child.children if is_node(part)][-1]
    return found


def _body(body: HclNode, scope: Mapping[str, Value], where: str) -> dict[str, Value]:
    values: dict[str, Value] = {
        name: evaluate(node, scope) for name, node in attributes(body, where).items() if name not in META
    }
    for block in _inner_blocks(body):
        kind = text(block.children[0])
        if kind == "dynamic":
            values.setdefault(_labels(block)[0], []).extend(_dynamic(block, scope, where))
        elif kind not in META:
            values.setdefault(kind, []).append(_body(_body_of(block), scope, where))
    return values


def _dynamic(block: HclNode, scope: Mapping[str, Value], where: str) -> list[Value]:
    """Return the blocks a `dynamic` block makes, or one `Unresolved` that stands for them."""
    settings = attributes(_body_of(block), where)
    iterator = text(settings["iterator"]) if "iterator" in settings else _labels(block)[0]
    contents = [inner for inner in _inner_blocks(_body_of(block)) if text(inner.children[0]) == "content"]
    if "for_each" not in settings or not contents:
        raise ProbeError(
            f"{where}: dynamic block without for_each or content", "run terraform validate on the module"
        )
    items = hcl_pairs(evaluate(settings["for_each"], scope))
    if items is None:
        return [Unresolved(text(settings["for_each"]), "the number of blocks is not known from the files")]
    return [
        _body(_body_of(contents[0]), {**scope, iterator: {"key": key, "value": value}}, where)
        for key, value in items
    ]


def tfvars(file: Path) -> dict[str, Value]:
    """Return what a file of variables sets, name -> value.

    Raises:
        ProbeError: it cannot be read or parsed.
    """
    if file.suffix != ".json":
        return {name: evaluate(node, {}) for name, node in attributes(parse_file(file), file.name).items()}
    try:
        values = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise ProbeError(f"{file.name}: is not JSON", "fix the file") from error
    if not isinstance(values, dict):
        raise ProbeError(f"{file.name}: is not a JSON object", "fix the file")
    return values
