"""Write other names into a YAML file of the reference platform; comments go, all else stays as it is."""

from __future__ import annotations

import posixpath
import re
import textwrap
from dataclasses import dataclass, field

import yaml

from lab.names import DEFAULT, Names, load, paths, text
from lab.names.places import Place, places


COMMENT = re.compile(r"(?<=\n)[ \t]*#[^\n]*\n|[ \t]+#[^\n]*")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """One YAML (or JSON) file, or a patch inside one.

    Attributes:
        text: written with the reference names.
        file: its path in the project.
        names: the names to write instead.
        seen: the phrases that occurred so far.
    """

    text: str
    file: str
    names: Names
    seen: set[str] = field(default_factory=set)

    def renamed(self) -> str:
        """Return the text with the other names and without comments, which speak of the reference names.

        Raises:
            UnknownNameError: a name that is in no table.
            ValueError: an anchored value would have to become two different names.
        """
        body = without_comments(self.text)
        done, at = "", 0
        for (start, end), new in sorted(self._edits(body).items()):
            done += self._phrases(body[at:start]) + new
            at = end
        return done + self._phrases(body[at:])

    def _phrases(self, part: str) -> str:
        return text.renamed(part, self.names, self.file, self.seen)

    def _edits(self, body: str) -> dict[Span, str]:
        edits: dict[Span, str] = {}
        for document in yaml.compose_all(body, Loader=yaml.SafeLoader):
            for place, node in places(document):
                span = node.start_mark.index, node.end_mark.index
                new = self._new(place, node, body[slice(*span)])
                if new is not None and edits.setdefault(span, new) != new:
                    raise ValueError(f"{self.file}: {node.value!r} is two kinds of name")
        return edits

    def _new(self, place: Place, node: yaml.ScalarNode, raw: str) -> str | None:
        if place.document == "Kustomization" and place.path == ("resources",):
            return _relative(node.value, self.file, self.names)
        if place.path[-1] == "patch" and node.style == "|":
            head, _, inner = raw.partition("\n")
            indent = inner[: len(inner) - len(inner.lstrip(" "))]
            made = Source(textwrap.dedent(inner), self.file, self.names, self.seen).renamed()
            return f"{head}\n{textwrap.indent(made, indent)}"
        kind = place.kind(load(DEFAULT))
        return raw.replace(node.value, self.names.of(kind, node.value), 1) if kind else None


def without_comments(body: str) -> str:
    """Return YAML text without its comments."""
    body, kept, at = f"\n{body}", "", 0  # a comment on the first line follows a line break, like all others
    for token in yaml.scan(body, Loader=yaml.SafeLoader):
        start, end = token.start_mark.index, token.end_mark.index
        kept += COMMENT.sub("", body[at:start]) + body[max(start, at) : end]
        at = max(at, end)
    return kept.lstrip("\n")


def _relative(target: str, file: str, names: Names) -> str:
    """Return a path in a kustomization as the moved kustomization has to write it."""
    folder = posixpath.dirname(file)
    absolute = posixpath.normpath(posixpath.join(folder, target))
    return posixpath.relpath(paths.moved(absolute, names), paths.moved(folder, names))
