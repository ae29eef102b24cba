"""Where a restore goes: read off the runbook's own commands, and only into a labelled namespace."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.drills.restore.place import place_of
from assay.drills.restore.procedure import Procedure, StepError
from assay.drills.restore.sandbox import Sandbox
from assay.errors import ProbeError
from assay.probes.runbook.shell import Command


def commands(*lines: str) -> list[Command]:
    return [Command(f"File r.md:{n}", tuple(line.split())) for n, line in enumerate(lines, 1)]


SECTION = commands(
    "rclone lsf store:<BUCKET>/x", "kubectl create -f <GIT>/trial/space.yaml",
    "kubectl -n login create token app", "kubectl apply -k <GIT>/sites/<STACK>/trial",
    "kubectl -n trial get pod db-trial",
)  # fmt: skip
SPACE = "kind: Namespace\nmetadata:\n  name: {}\n  labels: {}\n"
LABELLED = '{assay.dev/restore-target: "true"}'


def test_the_section_says_where_it_restores() -> None:
    found = place_of(SECTION, "Bring it back")
    assert (found.namespace, found.pod, found.overlay) == ("trial", "db-trial", "<GIT>/sites/<STACK>/trial")
    assert (found.made.ref, found.applied.ref) == ("File r.md:2", "File r.md:4")


@pytest.mark.parametrize("missing", [1, 3, 4])
def test_a_section_that_does_not_say_it_is_refused(missing: int) -> None:
    with pytest.raises(ProbeError, match="'Bring it back' has no command kubectl") as caught:
        place_of([one for n, one in enumerate(SECTION) if n != missing], "Bring it back")
    assert "docs/restores.md" in caught.value.remedy


@pytest.mark.parametrize(("text", "why"), [
    (SPACE.format("trial", LABELLED), ""),
    (SPACE.format("trial", "{}"), "has no label assay.dev/restore-target"),
    (SPACE.format("trial", "{assay.dev/restore-target: yes}"), "has no label"),
    (SPACE.format("shop", LABELLED), "makes a namespace other than trial"),
    ("kind: List\n", "does not make a namespace"), ("{", "does not make a namespace"),
])  # fmt: skip
def test_only_a_labelled_namespace_takes_a_restore(tmp_path: Path, text: str, why: str) -> None:
    sandbox = Sandbox(tmp_path)
    sandbox.work.mkdir()
    (sandbox.git / "trial").mkdir(parents=True)
    (sandbox.git / "trial" / "space.yaml").write_text(text)
    procedure = Procedure(sandbox, {}, {"GIT": "../git"}, {})
    if not why:
        return place_of(SECTION, "x").check(procedure)
    with pytest.raises(StepError, match=why) as caught:
        place_of(SECTION, "x").check(procedure)
    assert caught.value.ref == "File r.md:2"
    return None
