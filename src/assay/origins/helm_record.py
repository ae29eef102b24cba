"""What Helm keeps of a release in a Secret: values, defaults, manifests, files; gzip within base64, twice."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.model import Offender
from assay.origins.kube_leaves import ObjectTexts
from assay.probes.kube.client import Kube
from assay.probes.kube.paths import collection, ref
from assay.secretscan.files import file_texts
from assay.secretscan.leaves import Leaf, walk
from assay.secretscan.suspect import unzipped


KIND = "helm.sh/release.v1"
GZIP = b"\x1f\x8b"
FILES = ("templates", "files")


@parsing("the record of a Helm release", "read the record by hand")
def record_texts(kube: Kube) -> list[ObjectTexts]:
    """Return every release with its texts; of a record that does not open, that nobody can say what it holds.

    Raises:
        ProbeError: the list of Secrets is denied or not whole, or a file of a chart cannot be judged.
    """
    found = []
    for item in kube.wire.items(collection("Secret"), fieldSelector=f"type={KIND}"):
        secret = ref({"kind": "Secret", **item})
        release = decoded_record(str((item.get("data") or {}).get("release", "")))
        if release is None:
            closed = Offender(secret, "the record of a release does not open")
            found.append(ObjectTexts(secret, (), (closed,)))
        else:
            found.append(ObjectTexts(secret, tuple(_of(secret, release))))
    return found


def decoded_record(coded: str) -> Mapping[str, Any] | None:
    """Return the record that the API gives in base64, None where it is not one."""
    try:
        raw = base64.b64decode(base64.b64decode(coded, validate=True), validate=True)
        record = json.loads(unzipped(raw) if raw.startswith(GZIP) else raw)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _of(secret: str, release: Mapping[str, Any]) -> Iterator[Leaf]:
    chart = release.get("chart") or {}
    rest = {key: value for key, value in chart.items() if key not in FILES}
    yield from walk(secret, {**release, "chart": rest}, "release")
    for file in (one for kind in FILES for one in chart.get(kind) or ()):
        for place, text in file_texts(str(file.get("name", "")), _content(secret, file)):
            yield Leaf(secret, f"release.chart {place}", PurePath(place).name, text)


def _content(secret: str, file: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(str(file.get("data", "")), validate=True)
    except ValueError:
        raise ProbeError(f"{secret}: a file of its chart is not base64", "read the record by hand") from None
