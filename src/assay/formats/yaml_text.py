"""YAML documents with the line of every value, read strictly.

What two readers could take differently is refused.
"""

from __future__ import annotations

import itertools
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import yaml

from assay.errors import ProbeError


LARGEST = 4 * 1024 * 1024
DEEPEST = 100
MOST_LEAVES = 200_000
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class YamlScalar:
    """One scalar: its place in the document, its text (never turned into a number), the line it starts at.

    `first` is the line its text starts at: the next one for a block scalar. `tagged` is True for a value with
    a tag of its program's own, `!env_var NAME`: what it comes to stands elsewhere.
    """

    path: Path
    text: str = field(repr=False)
    line: int
    first: int
    tagged: bool = False


@dataclass(frozen=True)
class Document:
    """One YAML document: its scalars in order, and the line it starts at."""

    leaves: tuple[YamlScalar, ...]
    line: int

    def get(self, *path: str | int) -> str:
        """Return the scalar at `path`, empty where there is none."""
        return self._texts.get(path, "")

    @cached_property
    def _texts(self) -> Mapping[Path, str]:
        return {leaf.path: leaf.text for leaf in reversed(self.leaves)}

    @cached_property
    def keys(self) -> Mapping[Path, set[str | int]]:
        """Return path -> keys of every mapping, numbers of every list."""
        found: dict[Path, set[str | int]] = {}
        for leaf in self.leaves:
            for depth, key in enumerate(leaf.path):
                found.setdefault(leaf.path[:depth], set()).add(key)
        return found

    def under(self, *path: str | int) -> tuple[YamlScalar, ...]:
        """Return the scalars below `path`."""
        return tuple(leaf for leaf in self.leaves if leaf.path[: len(path)] == path)

    def mappings(self) -> Mapping[Path, dict[str, YamlScalar]]:
        """Return path -> (key -> scalar) of every mapping that holds scalars."""
        found: dict[Path, dict[str, YamlScalar]] = {}
        for leaf in self.leaves:
            if leaf.path and isinstance(leaf.path[-1], str):
                found.setdefault(leaf.path[:-1], {})[leaf.path[-1]] = leaf
        return found


STEP = re.compile(r"[^.\[\]]+|\[\]")


def leaves_at(document: Document, pattern: str) -> list[YamlScalar]:
    """Return the scalars whose path fits a pattern such as `spec.tls[].secretName`."""
    steps = STEP.findall(pattern)
    return [leaf for leaf in document.leaves if fits(leaf.path, steps)]


def fits(path: Path, steps: Sequence[str]) -> bool:
    """Return whether a path is as `steps` say: keys, and `[]` for any entry of a list."""
    return len(path) == len(steps) and all(
        isinstance(part, int) if step == "[]" else part == step
        for part, step in zip(path, steps, strict=True)
    )


def text_of(file: pathlib.Path, where: str) -> str:
    """Return the text of a file that is read here, called `where` in messages.

    Raises:
        ProbeError: larger than 4 MiB, unreadable, or not UTF-8.
    """
    try:
        if file.stat().st_size > LARGEST:
            raise ProbeError(f"{where}: larger than {LARGEST} bytes", "split the file")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ProbeError(
            f"{where}: cannot be read: {error.strerror}", "check the path in the profile, and its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise ProbeError(
            f"{where}: is not UTF-8", "save it as UTF-8; sops encrypts binary files too"
        ) from error


def documents(written: str, where: str, first_line: int = 1) -> list[Document]:
    """Return the documents of a YAML or JSON text; empty ones are left out.

    Args:
        written: the text.
        where: its name, for messages.
        first_line: the line its first line has in the file it is part of.

    Raises:
        ProbeError: larger than 4 MiB, does not parse, a key is written twice, the nesting is deeper than
            100, or aliases make more than 200,000 values of it.
    """
    if len(written) > LARGEST:
        raise ProbeError(f"{where}: larger than {LARGEST} bytes", "split the file")
    if written.startswith("\ufeff"):
        raise ProbeError(f"{where}: starts with a byte order mark", "save it as UTF-8 without one")
    try:
        roots = list(_roots(written))
    except RecursionError as error:
        raise ProbeError(f"{where}: is nested deeper than {DEEPEST}", "flatten the file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + first_line if mark else "?"
        raise ProbeError(
            f"{where}:{line}: does not parse as YAML", "fix the file; tabs cannot indent"
        ) from error
    found = []
    for root in roots:
        leaves = tuple(itertools.islice(_leaves(root, where, first_line, ()), MOST_LEAVES + 1))
        if len(leaves) > MOST_LEAVES:
            raise ProbeError(
                f"{where}: more than {MOST_LEAVES} values once aliases are expanded", "write fewer aliases"
            )
        found.append(Document(leaves, root.start_mark.line + first_line))
    return found


class Shallow(yaml.CSafeLoader):
    """A loader that gives up at a depth that nobody writes; libyaml's own would end the process there."""

    depth = 0

    def descend_resolver(self, node: yaml.Node | None, index: object) -> None:
        """Go one level deeper.

        Raises:
            RecursionError: that is too deep.
        """
        self.depth += 1
        if self.depth > DEEPEST + 2:
            raise RecursionError
        super().descend_resolver(node, index)

    def ascend_resolver(self) -> None:
        """Come back from one level."""
        self.depth -= 1
        super().ascend_resolver()


def _roots(written: str) -> Iterator[yaml.Node]:
    for root in _composed(written):
        if root is not None and not (isinstance(root, yaml.ScalarNode) and root.value in ("", "null", "~")):
            yield root


def _composed(written: str) -> list[yaml.Node | None]:
    """Return the root of each document; of an anchor that is written twice the one before an alias counts.

    The specification says so, and so do kustomize, Flux and Helm; libyaml's own composer refuses the file.
    """
    try:
        return list(yaml.compose_all(written, Loader=Shallow))
    except yaml.composer.ComposerError as error:
        if "duplicate anchor" not in str(error):
            raise
    events = yaml.parse(written, Loader=yaml.CSafeLoader)
    return [
        _node(next(events), events, {}, 0) for event in events if isinstance(event, yaml.DocumentStartEvent)
    ]


def _node(
    event: yaml.Event, events: Iterator[yaml.Event], anchors: dict[str, yaml.Node], depth: int
) -> yaml.Node:
    """Return the node that begins with `event`."""
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(event, yaml.AliasEvent):
        if event.anchor not in anchors:
            raise yaml.composer.ComposerError(None, None, "an alias of nothing")
        return anchors[event.anchor]
    node = _begun(event)
    if event.anchor:  # type: ignore[attr-defined]
        anchors[event.anchor] = node  # type: ignore[attr-defined]
    inner: list[yaml.Node] = []
    while not isinstance(node, yaml.ScalarNode):
        following = next(events)
        if isinstance(following, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            pairs = isinstance(node, yaml.MappingNode)
            node.value.extend(zip(inner[::2], inner[1::2], strict=True) if pairs else inner)
            break
        inner.append(_node(following, events, anchors, depth + 1))
    return node


def _begun(event: yaml.Event) -> yaml.Node:
    begun: yaml.Node
    if isinstance(event, yaml.ScalarEvent):
        begun = yaml.ScalarNode(event.tag or "", event.value, style=event.style)
    elif isinstance(event, yaml.MappingStartEvent):
        begun = yaml.MappingNode(event.tag or "", [])
    else:
        begun = yaml.SequenceNode("", [])
    begun.start_mark = event.start_mark
    return begun


def _leaves(node: yaml.Node, where: str, first_line: int, path: Path) -> Iterator[YamlScalar]:
    if len(path) > DEEPEST:
        raise ProbeError(f"{where}: is nested deeper than {DEEPEST}, or holds itself", "flatten the file")
    if isinstance(node, yaml.ScalarNode):
        line = node.start_mark.line + first_line
        own_tag = node.tag.startswith("!")
        yield YamlScalar(path, node.value, line, line + (node.style in ("|", ">")), own_tag)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _leaves(item, where, first_line, (*path, number))
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = _key(key, where, first_line, seen)
            yield from _leaves(value, where, first_line, (*path, name))


def _key(key: yaml.Node, where: str, first_line: int, seen: set[str]) -> str:
    line = key.start_mark.line + first_line
    if not isinstance(key, yaml.ScalarNode):
        raise ProbeError(f"{where}:{line}: a key that is no text", "write plain keys")
    if key.value in seen:
        raise ProbeError(
            f"{where}:{line}: {key.value} is written twice", "keep one; readers differ in which one counts"
        )
    seen.add(key.value)
    return str(key.value)
