"""`assay init`: a profile from what is there; or what differs from the profile there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from assay.config.loader import load_profile
from assay.errors import ProfileError
from assay.preflight.backups import backups
from assay.preflight.checkout import from_checkout, from_path
from assay.preflight.cluster import from_cluster, from_talosconfig, reader
from assay.preflight.needs import value_at
from assay.preflight.outside import registries
from assay.preflight.profile_text import Findings, Value, note_misses, render, toml_value


KIND = "production"  # the strictest: nothing but reads and dry runs happens unasked


def discover(kubeconfig: Path | None, talosconfig: Path | None, checkout: Path) -> Findings:
    """Return everything that can be known without asking a person; what failed is in `missed`.

    Raises:
        ProfileError: a file or folder that was named is not there.
    """
    for place in filter(None, (kubeconfig, talosconfig, checkout)):
        if not place.exists():
            raise ProfileError(f"{place}: does not exist", "name one that does")
    found = Findings()
    if talosconfig is not None:
        from_talosconfig(talosconfig.absolute(), found)
    if kubeconfig is not None:
        from_cluster(kubeconfig.absolute(), found)
    from_checkout(checkout, found)
    from_path(found)
    if kubeconfig is not None:
        kube = reader(kubeconfig.absolute())
        note_misses("backups", partial(backups, kube, found), found)
        note_misses("registries", partial(registries, kube, found), found)
    found.put("stack.name", checkout.name, "the checkout's folder")
    found.put("stack.kind", KIND, "the strictest kind")
    return found


def create(file: Path, example: str, found: Findings) -> list[str]:
    """Write the profile and return what a person is told.

    Raises:
        ProfileError: what was written does not load, which is a fault of the example.
        OSError: the file cannot be written.
    """
    file.write_text(render(example, found), encoding="utf-8")
    load_profile(file)
    set_, proposed = (
        [key for key, one in found.keys.items() if one.proposed is kind] for kind in (False, True)
    )
    tables = sum(len(rows) for rows in found.tables.values())
    lines = [
        f"{file}: {len(set_)} keys and {tables} entries of lists found, {len(proposed)} proposed as comments"
    ]
    lines += [f"  not found: {one}" for one in found.missed]
    return [*lines, f"next: assay doctor --stack {file}"]


def compare_profile(file: Path, found: Findings) -> list[str]:
    """Return what was found otherwise than the profile has it, line by line; nothing is written.

    Raises:
        ProfileError: the profile there is cannot be used.
    """
    profile = load_profile(file)
    lines = [line for key in found.keys for line in _difference(key, value_at(profile, key), found)]
    known = {one.name for one in profile.platform.services}
    rows = found.tables.get("platform.services", [])
    lines += [
        f"+ [[platform.services]] {row['name'].value}" for row in rows if row["name"].value not in known
    ]
    return lines or [f"{file}: nothing changed"]


def _difference(key: str, now: object, found: Findings) -> Iterator[str]:
    """Yield both values where they differ; a proposal counts only against an expectation that is there."""
    one = found.keys[key]
    then = _plain(now)
    if key != "stack.kind" and then != one.value and (then or not one.proposed):
        yield from (
            f"- {key} = {toml_value(then)}",
            f"+ {key} = {toml_value(one.value)}  # from {one.source}",
        )


def _plain(value: object) -> Value:
    """Return a profile's value as TOML has it; empty where the profile has none."""
    if isinstance(value, tuple | list):
        texts = [str(one) for one in value]
        return texts[0] if len(texts) == 1 and isinstance(value[0], Path) else texts
    if isinstance(value, Mapping):
        return {str(key): str(one) for key, one in value.items()}
    return value if isinstance(value, float | bool) else str(value or "")
