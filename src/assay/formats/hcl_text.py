"""The text of Terraform's files, and the syntax tree that python-hcl2 makes of it."""

from __future__ import annotations

import re
from pathlib import Path

import hcl2
from lark.exceptions import LarkError

from assay.errors import ProbeError
from assay.formats.hcl_value import HclNode, as_node, nodes


LARGEST = 1024 * 1024


def read_text(file: Path) -> str:
    """Return the text of a file.

    Raises:
        ProbeError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        raw = file.read_bytes()
        if len(raw) > LARGEST:
            raise ProbeError(
                f"{file.name}: {len(raw)} bytes, more than {LARGEST}",
                "split the file, or judge the plan JSON alone",
            )
        written = raw.decode()
    except OSError as error:
        raise ProbeError(
            f"{file.name}: cannot be read: {error.strerror}", "check the path and its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise ProbeError(f"{file.name}: is not UTF-8", "save it as UTF-8") from error
    if written.startswith("\ufeff"):
        raise ProbeError(f"{file.name}: starts with a byte order mark", "save it as UTF-8 without one")
    return written


def parse_file(file: Path) -> HclNode:
    """Return the syntax tree of a file; errors as for `read_text` and `parse_text`."""
    return parse_text(read_text(file), file.name)


def parse_text(written: str, name: str) -> HclNode:
    """Return the syntax tree of a text, called `name` in messages.

    Raises:
        ProbeError: it does not parse, or is nested too deeply.
    """
    try:
        try:
            return nodes(as_node(hcl2.parses_to_tree(written)))[0]
        except LarkError:
            return nodes(as_node(hcl2.parses_to_tree(joined(written))))[0]
    except LarkError as error:
        line = getattr(error, "line", "?")
        raise ProbeError(f"{name}:{line}: does not parse as HCL", "run a formatter on it") from error
    except RecursionError as error:
        raise ProbeError(f"{name}: is nested too deeply", "flatten the expression") from error


def joined(written: str) -> str:
    """Return HCL with each expression of several lines on its first; no other line changes its number.

    Terraform takes a new line within `${ }` of a quoted text, and after a dot; the parser does not.
    """
    lines = written.split("\n")
    number = 0
    while number < len(lines):
        last = number
        while last + 1 < len(lines) and _goes_on(lines[number]):
            last += 1
            lines[number] += (
                f" {lines[last].strip()}" if not lines[number].endswith(".") else lines[last].strip()
            )
            lines[last] = ""
        number = last + 1
    return "\n".join(lines)


def _goes_on(line: str) -> bool:
    """Return whether a line ends after a dot, or within `${ }` of a text in quotes."""
    if line.lstrip().startswith(("#", "//", "*", "/*")):
        return False
    line = line.rstrip()
    opened = line.count("${") > 0 and line.rindex("${") > line.rfind("}") and line.count('"') % 2 == 1
    return opened or bool(re.search(r"[\w\])]\.$", line))
