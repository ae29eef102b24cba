"""A file of request headers, `Name: value` a line: what a client carries behind a login."""

from __future__ import annotations

import re
from pathlib import Path

from assay.errors import ProbeError


NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110, 5.6.2
VALUE = re.compile(r"[\x20-\x7e\t]*")
OURS = frozenset({"host", "content-length", "connection", "transfer-encoding"})


def read_headers(path: Path) -> dict[str, str]:
    """Return name -> value of each line that is not empty and does not begin with `#`.

    Raises:
        ProbeError: the file cannot be read, or a line is not a header; names the line, never what it says.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        why = f"{path.name}: headers cannot be read: {type(problem).__name__}"
        raise ProbeError(why, "check headers in the profile") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        good = NAME.fullmatch(name) and VALUE.fullmatch(value) and name.lower() not in OURS
        if not colon or not good or name in found:
            raise ProbeError(f"{path.name}:{number}: not a header", "write it as Authorization: Bearer ...")
        found[name] = value.strip()
    return found
