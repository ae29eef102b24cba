"""Secrets in clear in one text: lines of any language, YAML and JSON by structure, Kubernetes and Talos shapes."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from assay.errors import ProbeError
from assay.formats.yaml_text import Document, YamlScalar, documents
from assay.secretscan.machine_places import LAST, PLACES
from assay.secretscan.naming import (
    DEFAULTED,
    Weight,
    is_benign,
    is_fact,
    is_sealed,
    is_strong,
    looks_like_secret,
    names_something,
    weight,
)
from assay.secretscan.suspect import MAX_ENCODINGS, PAIR, WRAPPED, does_not_open, layers
from assay.secretscan.tokens import hits
from assay.secretscan.words import word_list


Found = tuple[int, str]
YAML, CODE = word_list("files", "yaml"), word_list("files", "code")
PROSE, PROSE_NAMES = word_list("files", "prose"), word_list("files", "prose_names")
XML = re.compile(
    r"<(?P<key>[\w.-]+)[^<>]*>(?P<value>[^<\n]{4,})</|(?:name|key)=[\"'](?P<key2>[^\"']+)[\"']\s+value=[\"']"
    r"(?P<value2>[^\"']+)"
)
SPACED = re.compile(
    r"^\s*(?:ENV|ARG|setenv|set)\s+(?P<key>[A-Za-z_]\w*)\s+(?P<value>\S{4,})\s*$", re.MULTILINE
)
# What a redis or a haproxy is told: one word that promises a secret, and its value.
DIRECTIVE = re.compile(
    r"^[ \t]*(?P<key>[A-Za-z][\w.-]+)[ \t]+[\"']?(?P<value>[^\s\"']{8,})[\"']?[ \t]*$", re.MULTILINE
)
# A text within a text: a script or a cloud-init in Terraform's sources, in a Dockerfile, in a script.
HEREDOC = re.compile(
    r"<<[-~]?[ \t]*[\"']?(?P<end>[A-Za-z_]\w*)[\"']?[^\n]*\n(?P<body>.*?)^[ \t]*(?P=end)\b",
    re.MULTILINE | re.DOTALL,
)
VARIABLE = re.compile(r"^\s*variable\s+\"(?P<key>[^\"]+)\"\s*\{(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
HIDDEN = re.compile(r"\bsensitive\(\s*\"(?P<value>(?:[^\"\\\n]|\\.)*)\"")
DEFAULT = re.compile(r"^\s*default\s*=\s*\"(?P<value>(?:[^\"\\]|\\.)*)\"", re.MULTILINE)
HOLDERS = word_list("structures", "holders")
PUBLIC = (
    "-----BEGIN CERTIFICATE",
    "-----BEGIN PUBLIC KEY",
    "ssh-rsa ",
    "ssh-ed25519 ",
    "age1",
    "-----BEGIN CERTIFICATE REQUEST",
)
TOKEN = re.compile(r"[a-z0-9]{6}\.[a-z0-9]{16}")
TELLING = word_list("names", "telling")
# A setting as one word of a list: `NAME=value`, `--name=value`.
ASSIGNED = re.compile(r"-{0,2}[A-Za-z_][\w.-]*=[^\s=]")
# What a text without a suffix is read as.
SETTINGS = ".conf"
# One of these is in every text that holds more than one value.
SIGNS = ("\n", "=", ": ", "{")
# A text that begins, after comments, with a key or an entry of a list.
STRUCTURED = re.compile(r"(?:[ \t]*(?:#.*|---.*)?\n)*[ \t]*(?:- |[\w.\"'/-]+:(?:\s|$))", re.MULTILINE)
COMMENT = re.compile(r"(?:^|\s)#.*")
LONG = re.compile(r"[A-Za-z0-9+/_-]{16}")


def secrets_in_text(path: str, text: str, depth: int = 0) -> list[Found]:
    """Return (line, rule) of every secret in clear in a text file, each line once per rule; never the secret.

    Args:
        path: of the file; it says how the text is read.
        text: what the file holds.
        depth: how many encodings were taken off to come by it.
    """
    found = set(_shaped(text))
    docs = _structure(path, text)
    if docs is not None:
        for document in docs:
            found.update(of_document(document))
        found.update(_comments(text))
    if docs is None or _only_looks_structured(path, text):
        found.update(of_lines(text, _suffix(path)))
    found.update(_encoded(text, depth))
    if path.endswith((".tf", ".tofu")):
        found.update(_defaults(text))
    return sorted(found)


def looks_secret(name: str, text: str) -> str:
    """Return why a text that goes by a name is a secret in clear, or holds one; empty where it does not.

    The answer names a rule and the encodings around the secret, never the secret.
    """
    if looks_like_secret(name, text):
        return f"a value under the name {name}"
    if does_not_open(text):
        return "an archive that cannot be opened, below base64"
    if not any(sign in text for sign in SIGNS):
        return next((rule for _, rule in (*_shaped(text), *_encoded(text))), "")
    return next((rule for _, rule in secrets_in_text(f"text{_kind(name, text)}", text)), "")


def _kind(name: str, text: str) -> str:
    """Return the suffix that a text without a file is read as."""
    return ".yaml" if STRUCTURED.match(text) else PurePosixPath(name).suffix or SETTINGS


def _suffix(path: str) -> str:
    """Return how a file's lines are read; one without a suffix holds settings unless its name says prose."""
    name = PurePosixPath(path)
    prose = name.stem.lower() in PROSE_NAMES
    return name.suffix.lower() or (".md" if prose else SETTINGS)


def _only_looks_structured(path: str, text: str) -> bool:
    """Return whether a text that starts as JSON does, in a file of another kind, is not JSON: Nix, HCL, a template."""
    if PurePosixPath(path).suffix.lower() in YAML or not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False


def _structure(path: str, text: str, first: int = 1) -> list[Document] | None:
    name = PurePosixPath(path).name.lower()
    likely = any(name.endswith(end) or f"{end}." in name for end in YAML) or text.lstrip()[:1] in ("{", "[")
    likely = (
        likely or name in ("kubeconfig", "talosconfig", "config") or text.startswith(("apiVersion:", "---\n"))
    )
    if not likely:
        return None
    try:
        return documents(text, path, first)
    except ProbeError:
        return None  # a template, or no YAML: judged line by line


def _line(text: str, start: int) -> int:
    return text.count("\n", 0, start) + 1


def _shaped(text: str) -> Iterator[Found]:
    for hit in hits(text):
        yield _line(text, hit.start), hit.rule


def _encoded(text: str, depth: int = 0) -> Iterator[Found]:
    """Yield the secrets of every text that lies within this one in another encoding."""
    if depth >= MAX_ENCODINGS:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if LONG.search(line) or line.count("%") > 2:
            yield from ((number, rule) for rule in _below(line, depth))
    for match in WRAPPED.finditer(text):
        yield from ((_line(text, match.start()), rule) for rule in _below(match.group(), depth))


def _below(text: str, depth: int) -> Iterator[str]:
    for how, inner in layers(text):
        rules = secrets_in_text(f"text{_kind('', inner)}", inner, depth + 1)
        yield from (f"{rule}, below {how}" for _, rule in rules[:1])


def of_lines(text: str, suffix: str = ".conf", first: int = 1) -> Iterator[Found]:
    """Yield the assignments of a text that is read line by line.

    Args:
        text: the text.
        suffix: decides how much is taken for a value: in code only what is quoted, in prose only what looks random.
        first: the line its first line has.
    """
    for number, line in enumerate(text.splitlines(), first):
        lowered = line.lower()
        # Code that was made small has names and values without end, and no line of its own for any of them.
        if (len(line) > 20_000 and suffix in CODE) or not any(word in lowered for word in TELLING):
            continue
        for match in PAIR.finditer(line):
            quoted = match.group("d") or match.group("s")
            value = quoted or match.group("u") or ""
            if _counts(match.group("key"), value, bool(quoted), suffix):
                yield number, f"a value under the name {match.group('key')}"
        for match in DEFAULTED.finditer(line):
            if looks_like_secret(match.group("key"), match.group("value")):
                yield number, f"a default of variable {match.group('key')}"
    for pattern in (XML, SPACED):
        for match in pattern.finditer(text):
            groups = match.groupdict()
            key, value = groups["key"] or groups.get("key2"), groups["value"] or groups.get("value2")
            if key and value and looks_like_secret(key, value):
                yield _line(text, match.start()) + first - 1, f"a value under the name {key}"
    yield from _directives(text, suffix, first)
    for match in HEREDOC.finditer(text) if suffix in (*CODE, SETTINGS, ".sh") else ():
        yield from of_lines(match.group("body"), SETTINGS, _line(text, match.start("body")) + first - 1)


def _directives(text: str, suffix: str, first: int) -> Iterator[Found]:
    if suffix in CODE or suffix in PROSE:
        return
    for match in DIRECTIVE.finditer(text):
        key, value = match.group("key", "value")
        if weight(key) is Weight.HARD and is_strong(value, 8) and looks_like_secret(key, value):
            yield _line(text, match.start()) + first - 1, f"a value under the name {key}"


def _counts(key: str, value: str, quoted: bool, suffix: str) -> bool:
    if not quoted and suffix in CODE:
        return False
    if suffix in PROSE and not quoted:
        return weight(key) is Weight.HARD and is_strong(value, 8) and looks_like_secret(key, value)
    return looks_like_secret(key, value)


def _comments(text: str, first: int = 1) -> Iterator[Found]:
    for number, line in enumerate(text.splitlines(), first):
        if comment := COMMENT.search(line):
            yield from of_lines(comment.group(), ".md", number)


def _defaults(text: str) -> Iterator[Found]:
    for match in VARIABLE.finditer(text):
        default = DEFAULT.search(match.group("body"))
        if default and looks_like_secret(match.group("key"), default.group("value")):
            at = match.start("body") + default.start("value")
            yield _line(text, at), f"a default of variable {match.group('key')}"
    for match in HIDDEN.finditer(text):
        if not is_benign(match.group("value")):
            yield _line(text, match.start()), "a literal that is marked sensitive"


def of_document(document: Document) -> Iterator[Found]:
    """Yield the secrets in clear of one YAML or JSON document."""
    for _, found in by_leaf(document):
        yield found


def by_leaf(document: Document) -> Iterator[tuple[YamlScalar, Found]]:
    """Yield the same, each with the value that it was found in."""
    secrets = [
        leaf.path[:-1] for leaf in document.leaves if leaf.path[-1:] == ("kind",) and leaf.text == "Secret"
    ]
    for leaf in document.leaves:
        for found in _of_leaf(leaf, document, secrets):
            yield leaf, found
    yield from _listed(document)


def _of_leaf(leaf: YamlScalar, document: Document, secrets: list[tuple[str | int, ...]]) -> Iterator[Found]:
    name = _name(leaf, document)
    for prefix in secrets:
        if leaf.path[: len(prefix)] == prefix and _clear_data(leaf, len(prefix)):
            yield leaf.line, f"a Kubernetes Secret's {leaf.path[-1]} in clear"
            return
    if _talos(leaf):
        yield leaf.line, f"a Talos secret {'.'.join(str(part) for part in leaf.path[-3:])}"
    elif "\n" in leaf.text or leaf.text.startswith("{"):
        yield from _below_leaf(leaf)
    elif looks_like_secret(name, leaf.text):
        yield leaf.line, f"a value under the name {name}"
    elif ASSIGNED.match(leaf.text):
        yield from _below_leaf(leaf)
    elif found := next((rule for _, rule in (*_shaped(leaf.text), *_encoded(leaf.text))), ""):
        yield leaf.line, found


def _below_leaf(leaf: YamlScalar) -> Iterator[Found]:
    """Yield the secrets of a text of its own, by its structure where it has one."""
    name = "text.yaml" if STRUCTURED.match(leaf.text) else f"text{SETTINGS}"
    docs = _structure(name, leaf.text, leaf.first)
    if docs is None:
        yield from of_lines(leaf.text, SETTINGS, leaf.first)
    else:
        for document in docs:
            yield from of_document(document)
        yield from _comments(leaf.text, leaf.first)


def _name(leaf: YamlScalar, document: Document) -> str:
    """Return the name that a value goes by; empty where it is a reference, a name or ciphertext by its place."""
    words = [part for part in leaf.path if isinstance(part, str)]
    last, parent = words[-1] if words else "", words[-2] if len(words) > 1 else ""
    if leaf.tagged or names_something(last, document.keys.get(leaf.path[:-1], ()), parent):
        return ""
    if parent == "encryptedData" and document.get("kind") == "SealedSecret" and is_sealed(leaf.text):
        return ""
    if last not in HOLDERS:
        return last
    if last == "result" and (kind := document.get(*leaf.path[:2], "type")):
        return kind  # Terraform's state: what a random_password came to
    beside = document.get(*leaf.path[:-1], "name") or document.get(*leaf.path[:-1], "key")
    return beside or (words[-2] if len(words) > 1 else last)


def _clear_data(leaf: YamlScalar, at: int) -> bool:
    where, key = leaf.path[at : at + 1], str(leaf.path[-1])
    if where not in (("data",), ("stringData",)) or is_fact(key):
        return False
    text = leaf.text.strip()
    if where == ("data",):
        try:
            text = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return not is_benign(text)
    return bool(text.strip()) and not is_benign(text) and not text.startswith(PUBLIC)


def _talos(leaf: YamlScalar) -> bool:
    words = tuple(part for part in leaf.path if isinstance(part, str))
    if len(leaf.text) < 16 or is_benign(leaf.text):
        return False
    known = words in PLACES or (words[-1:] and words[-1] in LAST)
    return bool(known or (words[-1:] == ("token",) and TOKEN.fullmatch(leaf.text)))


def _listed(document: Document) -> Iterator[tuple[YamlScalar, Found]]:
    """Yield secrets in lists of words, such as the arguments of a command."""
    lists: dict[tuple[str | int, ...], list[YamlScalar]] = {}
    for leaf in document.leaves:
        if leaf.path and isinstance(leaf.path[-1], int):
            lists.setdefault(leaf.path[:-1], []).append(leaf)
    for words in lists.values():
        for option, value in zip(words, words[1:], strict=False):
            if (
                option.text.startswith("-")
                and "=" not in option.text
                and looks_like_secret(option.text, value.text)
            ):
                yield value, (value.line, f"an argument after {option.text}")
