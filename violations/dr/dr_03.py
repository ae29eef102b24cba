"""DR-03: the specification's own runbook, and one that forgets to recover. Nothing is broken for either."""

import re
from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.runbook_edits import runbook_line, runbook_with
from assay.proof.violation import violation


RECOVER = re.compile(r"talosctl .*bootstrap --recover-from=\S+")
SPECIFIED = "talosctl etcd restore --snapshot ./db.snapshot --nodes <CP_IP>"


@violation()
def recovers_nothing(plant: Plant) -> Iterator[Named]:
    """The runbook bootstraps without the snapshot, which gives a new and empty cluster that looks healthy."""
    with runbook_with(plant, lambda text: RECOVER.sub("talosctl -n <CP_IP> bootstrap", text)) as path:
        yield Named(f"File {path.name}")


@violation()
def specification_text(plant: Plant) -> Iterator[Named]:
    """The runbook uses the specification's command, which talosctl does not have."""
    yield from runbook_line(plant, SPECIFIED, lambda text: RECOVER.sub(SPECIFIED, text))
