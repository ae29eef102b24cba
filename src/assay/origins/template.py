"""Templates of ExternalSecrets: which placeholders they have, and what stands for each in a value."""

from __future__ import annotations

import base64
import json
import re

from assay.secretscan.naming import is_benign, is_public_name, is_strong


FUNCTION = r"\|\s*(?:toString|quote|b64enc)\b\s*"
# `{{-` and `-}}` take the white space beside them away.
PLACE = re.compile(rf"(?:\{{\{{|\s*\{{\{{-)\s*\.(\w+)\s*((?:{FUNCTION})*)(?:\}}\}}|-\}}\}}\s*)")
CODE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
QUOTED = re.compile(r"\"([^\"]*)\"|`([^`]*)`")
LITERAL = re.compile(r"[\s\"'=:;,@/&?]+")
PLAIN = re.compile(r"[a-z0-9.-]+")
SHORT = 6
# Stands for the template of a key that holds a whole entry of Vault: its properties, as JSON.
WHOLE_ENTRY = "{{ whole entry }}"


def places(text: str) -> list[str]:
    """Return the names of the placeholders, in their order."""
    return [name for name, _ in PLACE.findall(text)]


def computes(text: str) -> bool:
    """Return whether a template does more than put values into places."""
    return CODE.search(PLACE.sub("", text)) is not None


def touching(text: str) -> bool:
    """Return whether two placeholders have nothing between them: nobody can say where one value ends."""
    return "" in PLACE.split(text)[3:-1:3]


def own(text: str) -> bool:
    """Return whether a template holds what may be a secret of its own; a host name is none."""
    return any(_own(word) for word in LITERAL.split(PLACE.sub(" ", text)))


def computed(text: str) -> str:
    """Return a template with nothing left of its code but the texts that it quotes: those are its own."""
    return CODE.sub(lambda code: " ".join(map("".join, QUOTED.findall(code[0]))), text)


def _own(word: str) -> bool:
    if is_public_name(word):
        return False
    return is_strong(word) or (is_strong(word, SHORT) and not is_benign(word) and not PLAIN.fullmatch(word))


def entry_values(raw: bytes) -> dict[str, str] | None:
    """Return property -> value of a whole entry of Vault as JSON, None where it is something else."""
    try:
        whole = json.loads(raw)
        values = whole.get("data", whole)
        return {
            name: one if isinstance(one, str) else json.dumps(one, sort_keys=True, separators=(",", ":"))
            for name, one in values.items()
        }
    except (ValueError, AttributeError, RecursionError):
        return None


def filled(template: str, raw: bytes) -> dict[str, str] | None:
    """Return what stands for each placeholder; None where the value does not fit the template.

    Each text between two placeholders is taken where it comes first. One placeholder that stands for two
    texts does not fit: one of them is not the source's.
    """
    if template == WHOLE_ENTRY:
        return entry_values(raw)
    first, *rest = PLACE.split(template)
    try:
        value = raw.decode()
    except UnicodeDecodeError:
        return None
    if touching(template) or not value.startswith(first):
        return None
    at, found = len(first), dict[str, str]()
    for number in range(0, len(rest), 3):
        name, functions, literal = rest[number : number + 3]
        last = number + 3 == len(rest)
        end = len(value) - len(literal) if last else value.find(literal, at)
        text = _undone(value[at:end], functions) if end >= at and value.startswith(literal, end) else None
        if text is None or found.setdefault(name, text) != text:
            return None
        at = end + len(literal)
    return found if at == len(value) else None


def _undone(text: str, functions: str) -> str | None:
    """Return what a placeholder's functions were given, None where they did not make this text."""
    for function in reversed(re.findall(r"\w+", functions)):
        try:
            if function == "quote":
                text = str(json.loads(text if text.startswith('"') else ""))
            elif function == "b64enc":
                text = base64.b64decode(text, validate=True).decode()
        except ValueError:
            return None
    return text
