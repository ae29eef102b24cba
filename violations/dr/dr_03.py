"""DR-03: the specification's own runbook, and one that forgets to recover. Nothing is broken for either."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from assay.proof.plant import Named, Plant
from assay.proof.runbook_edits import runbook_line, runbook_with


RECOVER = re.compile(r"talosctl .*bootstrap --recover-from=\S+")
SPECIFIED = "talosctl etcd restore --snapshot ./db.snapshot --nodes <CP_IP>"


@contextmanager
def recovers_nothing(plant: Plant) -> Iterator[Named]:
    """Bootstrap without the snapshot: a new, empty cluster that looks well."""
    with runbook_with(plant, lambda text: RECOVER.sub("talosctl -n <CP_IP> bootstrap", text)) as path:
        yield Named(f"File {path.name}")


PLANTED = [
    runbook_line(
        "specification_text",
        "The specification's command, which no talosctl has.",
        SPECIFIED,
        lambda text: RECOVER.sub(SPECIFIED, text),
    ),
    recovers_nothing,
]
