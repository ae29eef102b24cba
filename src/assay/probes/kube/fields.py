"""Fields of an API object, read strictly: absent is empty, another type is an ERROR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.errors import ProbeError


Object = Mapping[str, Any]


def metadata_of(item: Object) -> Object:
    """Return the metadata of an object, which must have a name.

    Raises:
        ProbeError: no metadata, or no name in it.
    """
    meta = mapping_at(item, "metadata")
    if not meta.get("name"):
        raise ProbeError(
            "an object without metadata.name", "ask the API server again; the answer is not whole"
        )
    return meta


def mapping_at(item: Object, key: str) -> Object:
    """Return the mapping at `key`, empty where there is none.

    Raises:
        ProbeError: something else is there.
    """
    value = item.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ProbeError(f"{key} is {type(value).__name__}, expected an object", "the answer is malformed")
    return value


def mappings_at(item: Object, key: str) -> list[Object]:
    """Return the list of objects at `key`, empty where there is none.

    Raises:
        ProbeError: something else is there.
    """
    value = item.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        raise ProbeError(
            f"{key} is {type(value).__name__}, expected a list of objects", "the answer is malformed"
        )
    return value


def strings_at(item: Object, key: str) -> dict[str, str]:
    """Return the mapping of texts at `key`, empty where there is none."""
    return {str(name): str(value) for name, value in mapping_at(item, key).items()}
