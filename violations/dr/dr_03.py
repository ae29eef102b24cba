"""DR-03: the specification's own runbook, and one that forgets to recover. Nothing is broken for either."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from assay.plant import Named, Plant


RECOVER = re.compile(r"talosctl .*bootstrap --recover-from=\S+")


def _instead(name: str, what: str, line: str) -> Callable[[Plant], AbstractContextManager[Named]]:
    """Return a violation that has `line` where the runbook recovers."""

    @contextmanager
    def violation(plant: Plant) -> Iterator[Named]:
        with plant.copied("runbook") as folder:
            (path,) = folder.glob("*.md")
            text = RECOVER.sub(line, path.read_text(encoding="utf-8"))
            path.write_text(text, encoding="utf-8")
            row = next(n for n, row in enumerate(text.splitlines(), 1) if row.strip() == line)
            yield Named(f"File {path.name}:{row}")

    violation.__name__ = name
    violation.__doc__ = what
    return violation


@contextmanager
def recovers_nothing(plant: Plant) -> Iterator[Named]:
    """Bootstrap without the snapshot: a new, empty cluster that looks well."""
    with plant.copied("runbook") as folder:
        (path,) = folder.glob("*.md")
        text = path.read_text(encoding="utf-8")
        path.write_text(RECOVER.sub("talosctl -n <CP_IP> bootstrap", text), encoding="utf-8")
        yield Named(f"File {path.name}")


PLANTED = [
    _instead(
        "specification_text",
        "The specification's command, which no talosctl has.",
        "talosctl etcd restore --snapshot ./db.snapshot --nodes <CP_IP>",
    ),
    recovers_nothing,
]
