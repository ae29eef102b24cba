"""What parsers are fed with: any noise, good inputs that were spoilt, JSON whose parts were exchanged."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from assay.errors import AssayError


Parse = Callable[[Any], object]
Step = str | int
DEEP = ("[" * 30_000, "{a: " * 500)
ODD = ("", "\0", "\ufeff", "null", "-1", "1e999", "NaN", "\r\n", "a: b: c", "'\"`$(", "\u2028", *DEEP)
GONE = object()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def texts(*good: str) -> st.SearchStrategy[str]:
    """Return any text, and each good one with a span of it exchanged for another."""
    noise = st.text(max_size=80) | st.sampled_from(ODD)
    return st.one_of(noise, *(_spoilt(one, st.text(max_size=12) | st.sampled_from(ODD)) for one in good))


def blobs(*good: bytes) -> st.SearchStrategy[bytes]:
    """Return any bytes, and each good ones with a span of them exchanged for others."""
    return st.one_of(st.binary(max_size=200), *(_spoilt(one, st.binary(max_size=12)) for one in good))


def _spoilt(good: Any, noise: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:  # noqa: ANN401 - text or bytes
    places = st.lists(st.integers(0, len(good)), min_size=2, max_size=2).map(sorted)
    return st.builds(lambda ends, new: good[: ends[0]] + new + good[ends[1] :], places, noise)


def objects(*good: object) -> st.SearchStrategy[Any]:
    """Return any JSON value, and each good one altered."""
    return st.one_of(JSON, *map(altered, good))


def altered(good: object) -> st.SearchStrategy[Any]:
    """Return `good` with up to three of its parts exchanged for any JSON value or left out."""
    change = st.tuples(st.sampled_from(_places(good)), JSON | st.just(GONE))
    return st.lists(change, min_size=1, max_size=3).map(lambda changes: _changed(good, changes))


def _places(value: object, path: tuple[Step, ...] = ()) -> list[tuple[Step, ...]]:
    inner: Sequence[tuple[Step, object]] = ()
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(place for key, one in inner for place in _places(one, (*path, key)))]


def _changed(good: object, changes: Sequence[tuple[tuple[Step, ...], object]]) -> object:
    whole = {"": copy.deepcopy(good)}
    for path, new in changes:
        holder: Any = whole
        for key in ("", *path)[:-1]:
            holder = holder[key] if _has(holder, key) else {}
        last = ("", *path)[-1]
        if _has(holder, last) and new is not GONE:
            holder[last] = new
        elif _has(holder, last) and path:
            del holder[last]
    return whole[""]


def _has(holder: object, key: Step) -> bool:
    return (isinstance(holder, dict) and key in holder) or (
        isinstance(holder, list) and isinstance(key, int) and key < len(holder)
    )


def judged(strategy: st.SearchStrategy[Any], parse: Parse) -> None:
    """Check that `parse` takes whatever `strategy` makes, or refuses it by an error of ours with a remedy."""

    @given(strategy)
    def whatever_comes(thing: object) -> None:
        told = None
        try:
            parse(thing)
        except AssayError as error:
            told = error
        assert told is None or (told.message and told.remedy and "\n" not in str(told))

    whatever_comes()
