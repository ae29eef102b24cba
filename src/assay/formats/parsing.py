"""What has another shape than it should have is an ERROR, without its words: they may hold a secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from assay.errors import ProbeError


WRONG = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@contextmanager
def parsing(what: str, remedy: str = "ask again; does something else answer there?") -> Iterator[None]:
    """Turn what goes wrong while `what` is taken apart into an ERROR; also a decorator.

    Raises:
        ProbeError: it has another shape.
    """
    try:
        yield
    except WRONG as why:
        raise ProbeError(f"{what}: another shape than expected ({type(why).__name__})", remedy) from None
