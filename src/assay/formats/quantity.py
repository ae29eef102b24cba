"""Kubernetes quantities, exactly: `100m` is a tenth, `1Gi` is 1024Mi."""

from __future__ import annotations

import re
from fractions import Fraction

from assay.errors import ProbeError


QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?P<suffix>[eE][+-]?[0-9]{1,3}|[KMGTPE]i|[numkMGTPE])?"
)
BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
LONGEST = 64


def quantity(text: object) -> Fraction:
    """Return the exact value of a Kubernetes quantity (`0.1`, `100m`, `1Gi`, `1e3`).

    The unit is the resource's own: cores, bytes.

    Raises:
        ProbeError: not a quantity.
    """
    written = str(text)
    match = QUANTITY.fullmatch(written) if len(written) <= LONGEST else None
    if isinstance(text, bool) or match is None:
        raise ProbeError(
            f"{written[:LONGEST]!r} is no Kubernetes quantity", "write it as 100m, 0.5, 128Mi or 1Gi"
        )
    number, suffix = Fraction(match["number"]), match["suffix"] or ""
    if suffix in BINARY:
        return number * Fraction(1024) ** BINARY[suffix]
    if suffix in DECIMAL:
        return number * Fraction(10) ** DECIMAL[suffix]
    return number * Fraction(10) ** int(suffix[1:])
