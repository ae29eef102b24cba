"""Drills outside a lab: what an approval must say, who must sign it, and when it is refused all the same."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.backups.restorable import NewestPoint, RestorablePoints
from assay.config.drill_access import DrillAccess
from assay.config.platform import Platform, Service
from assay.config.profile import Profile
from assay.drills import degraded, permission
from assay.drills.approval import NAMESPACE, approval_text, read_approval
from assay.drills.engine.engine import armed
from assay.drills.engine.journal import Journal, Stage, Undo, path_of
from assay.drills.permission import conditions, permit
from assay.drills.specs import CONTROL_PLANES, ETCD, DrillSpec
from assay.errors import GuardError, ProbeError
from assay.probes.kube.client import Kube
from assay.probes.postgres import Postgres
from tests.unit.support.signers import Signers


ALICE, BOB = "alice@example.com", "bob@example.com"
NOW = dt.datetime(2026, 12, 1, 3, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
KINDS = {"stack": "staging", "cluster_uid": "u-1", "drills": ("control-planes",), "begins": NOW - HOUR,
         "ends": NOW + 2 * HOUR, "approvers": (ALICE, BOB), "reason": "quarterly"}  # fmt: skip


@pytest.fixture
def signers(tmp_path: Path) -> Signers:
    found = Signers(tmp_path)
    for name in (ALICE, BOB):
        found.person(name, f'namespaces="{NAMESPACE}"')
    return found


@pytest.fixture(autouse=True)
def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The right cluster answers, nothing is wrong with it, and it is 03:00."""
    monkeypatch.setattr(permission, "current_time", lambda: NOW)
    monkeypatch.setattr(Kube, "from_profile", lambda _: SimpleNamespace(check_cluster=lambda: None))
    monkeypatch.setattr(degraded, "degraded", lambda _: [])
    monkeypatch.setattr(degraded, "late_backups", lambda *_: [])


def approved(signers: Signers, *, sign: bool = True, **changes: object) -> Profile:
    """Return a staging profile with an approval, changed, and signed by those it names."""
    file = signers.folder / "approval.toml"
    said = {**KINDS, **changes}
    file.write_text(approval_text(**said))  # type: ignore[arg-type]
    people: tuple[str, ...] = said["approvers"]  # type: ignore[assignment]
    for name in people if sign else ():
        signers.sign(file, name, NAMESPACE)
    access = DrillAccess(approval=file, allowed_signers=signers.allowed)
    return Profile(
        file=signers.folder / "stack.toml", name="staging", kind="staging", cluster_uid="u-1", drill=access
    )


def refused(profile: Profile, says: str, remedy: str, drill: DrillSpec = CONTROL_PLANES) -> None:
    """The drill is refused in one line with a remedy, `plan` says the same, and nothing was begun."""
    with pytest.raises(GuardError) as caught, armed(profile, drill):
        pytest.fail("the drill must not begin")
    assert says in caught.value.message
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)
    assert any(says in why and remedy in why for _, why in conditions(profile, drill))


def test_two_signatures_in_the_window_permit(signers: Signers) -> None:
    found = permit(approved(signers), CONTROL_PLANES)
    assert found.words.startswith(f"approved by {ALICE} and {BOB} until 2026-12-01T05:00+00:00, sha256 ")
    assert found.limit_s == 2 * 3600 - 1800
    assert not any(why for _, why in conditions(approved(signers), CONTROL_PLANES))


def test_no_approval_is_named(signers: Signers) -> None:
    profile = replace(approved(signers), drill=DrillAccess())
    refused(profile, "staging is a staging stack, and no approval", "assay drill approve")


@pytest.mark.parametrize("missing", [ALICE, BOB])
def test_it_is_not_signed_by_both(signers: Signers, missing: str) -> None:
    profile = approved(signers)
    (signers.folder / f"approval.toml.{missing}.sig").unlink()
    refused(profile, f"approval.toml is not signed by {missing}", "ssh-keygen -Y sign -n assay-drill")


def test_it_was_changed_after_it_was_signed(signers: Signers) -> None:
    profile = approved(signers)
    file = signers.folder / "approval.toml"
    file.write_text(file.read_text().replace("quarterly", "whatever"))
    refused(profile, f"not signed by {ALICE}", "ssh-keygen -Y sign")


def test_a_signature_for_something_else_does_not_count(signers: Signers) -> None:
    profile = approved(signers, sign=False)
    for name in (ALICE, BOB):
        signers.sign(signers.folder / "approval.toml", name, "file")
    refused(profile, f"not signed by {ALICE}", "ssh-keygen -Y sign")


def test_one_signs_for_the_other(signers: Signers) -> None:
    profile = approved(signers, sign=False)
    signers.sign(signers.folder / "approval.toml", ALICE, NAMESPACE)
    signers.sign(signers.folder / "approval.toml", BOB, NAMESPACE, holder=ALICE)
    refused(profile, f"not signed by {BOB}", "ssh-keygen -Y sign")


@pytest.mark.parametrize("people", [(ALICE, ALICE), (ALICE, ALICE.upper()), (ALICE,), ()])
def test_the_same_person_twice_is_one(signers: Signers, people: tuple[str, ...]) -> None:
    profile = approved(signers, sign=False, approvers=people)
    refused(profile, "different approvers, not 2", "name two people")


def test_two_names_with_one_key_are_one_person(signers: Signers) -> None:
    signers.allow("alice@home.example", ALICE)
    profile = approved(signers, sign=False, approvers=(ALICE, "alice@home.example"))
    for name in (ALICE, "alice@home.example"):
        signers.sign(signers.folder / "approval.toml", name, NAMESPACE, holder=ALICE)
    refused(profile, "with the same key", "each with a key of their own")


def test_a_stranger_signs(signers: Signers) -> None:
    profile = approved(signers)
    signers.allowed.write_text(signers.allowed.read_text().splitlines()[0] + "\n")
    refused(profile, f"not signed by {BOB}", "ssh-keygen -Y sign")


def test_the_profile_does_not_say_who_may_sign(signers: Signers) -> None:
    profile = approved(signers)
    access = replace(profile.drill, allowed_signers=None)
    refused(replace(profile, drill=access), "does not say who may sign", "allowed_signers under [drill]")


@pytest.mark.parametrize(("changes", "says", "remedy"), [
    ({"stack": "production"}, "approves drills of stack production", "approve them of staging"),
    ({"cluster_uid": "u-2"}, "approves drills of another cluster", "this cluster's UID"),
    ({"drills": ("rotation",)}, "does not approve control-planes", "by its name"),
    ({"drills": ()}, "does not approve control-planes", "by its name"),
    ({"drills": ("control-planes", "evrything")}, "evrything is not a drill", "known:"),
    ({"begins": NOW + HOUR}, "outside of the approved window", "approve another"),
    ({"begins": NOW - 3 * HOUR, "ends": NOW - HOUR}, "outside of the approved window", "approve another"),
    ({"ends": NOW}, "outside of the approved window", "approve another"),
    ({"ends": NOW + HOUR / 4}, "ends in 900 s, and a return may take 1800 s", "a longer window"),
])  # fmt: skip
def test_what_it_says_must_fit(signers: Signers, changes: dict[str, object], says: str, remedy: str) -> None:
    refused(approved(signers, **changes), says, remedy)


def test_no_approval_allows_the_loss_of_all_control_planes(signers: Signers) -> None:
    profile = approved(signers, drills=("etcd",))
    refused(profile, "the drill etcd takes every control plane", "bring its record in signed", ETCD)


def test_the_profile_must_say_which_cluster(signers: Signers) -> None:
    profile = replace(approved(signers), cluster_uid="")
    refused(profile, "does not say which cluster", "cluster_uid")


def test_the_slowest_return_of_the_journal_counts(signers: Signers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node once took longer to come back than the profile says: the window must leave time for that."""
    profile, clock = approved(signers), SimpleNamespace(at=1000.0)
    monkeypatch.setattr("assay.drills.engine.journal.time.time", lambda: clock.at)
    with closing(Journal(path_of(profile))) as journal:
        journal.enter(Stage.ARMED)
        number = journal.intend(Undo("node", "cp-1"))
        clock.at += 600
        journal.enter(Stage.RETURNING)
        clock.at += 8000
        journal.undone(number)
        journal.enter(Stage.ARMED)
        journal.enter(Stage.CLOSED)
    refused(profile, "ends in 7200 s, and a return may take 8000 s", "a longer window")


def test_an_open_journal_is_refused(signers: Signers) -> None:
    profile = approved(signers)
    with closing(Journal(path_of(profile))) as journal:
        journal.enter(Stage.ARMED)
        journal.intend(Undo("node", "cp-1"))
        refused(profile, "a drill is running", "wait for it")
    refused(profile, "the journal is open, not put back: node cp-1", "assay drill rollback")


@pytest.mark.parametrize("what", ["degraded", "late_backups"])
def test_nothing_may_be_wrong(signers: Signers, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    profile = approved(signers)
    monkeypatch.setattr(degraded, what, lambda *_: ["one", "two", "three", "four"])
    refused(profile, "one; two; three and 1 more", "first")


def test_what_cannot_be_asked_is_not_well(signers: Signers, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = approved(signers)

    def denied(_: Profile) -> list[str]:
        raise ProbeError("HTTP 403", "ask for the right")

    monkeypatch.setattr(degraded, "degraded", denied)
    with pytest.raises(ProbeError, match="403"):
        permit(profile, CONTROL_PLANES)
    assert ("nothing is degraded", "HTTP 403 - ask for the right") in list(conditions(profile))


def test_another_cluster_answers(signers: Signers, monkeypatch: pytest.MonkeyPatch) -> None:
    def another() -> None:
        raise GuardError("another cluster answers than the profile means", "check cluster_uid")

    monkeypatch.setattr(Kube, "from_profile", lambda _: SimpleNamespace(check_cluster=another))
    refused(approved(signers), "another cluster answers", "check cluster_uid")


def test_the_window_is_asked_before_each_change(signers: Signers, monkeypatch: pytest.MonkeyPatch) -> None:
    found = permit(approved(signers), CONTROL_PLANES)
    found.check()
    monkeypatch.setattr(permission, "current_time", lambda: NOW + 2 * HOUR - HOUR / 3)
    with pytest.raises(GuardError, match="the window ends in 1200 s"):
        found.check()


# the file -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new", "says"), [
    ('reason = "quarterly"\n', "", "reason must be given"),
    ("05:00:00+00:00", "05:00:00", "ends must be a time with its offset"),
    ("ends = 2026-12-01", "ends = 2026-12-21", "ends must be after begins, by at most 7 days"),
    ("ends = 2026-12-01", "ends = 2026-11-01", "ends must be after begins"),
    (ALICE, "../alice", "approvers must be names such as"),
    ("[approval]", "colour = 1\n[approval]", "unknown key"),
    ("reason", "resaon", "reason must be given"),
    ("[approval]", "[approval", "not valid TOML"),
])  # fmt: skip
def test_a_file_that_says_something_else(tmp_path: Path, old: str, new: str, says: str) -> None:
    file = tmp_path / "a.toml"
    text = approval_text(**KINDS)  # type: ignore[arg-type]
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(GuardError, match=says):
        read_approval(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="No such file"):
        read_approval(tmp_path / "a.toml")


@given(st.text(), st.text(min_size=1), st.lists(st.text(), max_size=3))
def test_any_text_is_written_as_it_is(stack: str, reason: str, drills: list[str]) -> None:
    said = {**KINDS, "stack": stack, "reason": reason, "drills": tuple(drills)}
    try:
        text = approval_text(**said)  # type: ignore[arg-type]
        text.encode()
    except UnicodeEncodeError:
        return
    read = tomllib.loads(text)["approval"]
    assert (read["stack"], read["reason"], read["drills"]) == (stack, reason, drills)
    assert (read["begins"], read["ends"]) == (KINDS["begins"], KINDS["ends"])


# what is wrong with a platform -----------------------------------------------------------------------


def item(name: str, spec: dict[str, object], status: dict[str, object]) -> dict[str, object]:
    return {"metadata": {"namespace": "shop", "name": name}, "spec": spec, "status": status}


def test_what_is_degraded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    lists = {
        "Deployment": [item("api", {"replicas": 3}, {"readyReplicas": 2}), item("off", {"replicas": 0}, {}),
                       item("usual", {}, {})],
        "StatefulSet": [item("db", {"replicas": 1}, {"readyReplicas": 1})],
        "DaemonSet": [item("agent", {}, {"desiredNumberScheduled": 4, "numberReady": 3})],
    }  # fmt: skip
    nodes = [SimpleNamespace(ref="Node a", ready=True), SimpleNamespace(ref="Node b", ready=False)]
    kube = SimpleNamespace(nodes=lambda: nodes, objects=lambda kind: lists[kind])
    monkeypatch.setattr(Kube, "from_profile", lambda _: kube)
    quorum = SimpleNamespace(wrong=lambda: ["alarm NOSPACE"])
    monkeypatch.setattr(degraded.Quorum, "from_profile", lambda _: quorum)
    namespace = SimpleNamespace(apiservers_ready=lambda: False)
    monkeypatch.setattr(degraded.DrillNamespace, "from_profile", lambda _: namespace)
    assert degraded.degraded(Profile(file=Path("x"), name="n", kind="staging")) == [
        "Node b is not ready", "an API server is not ready", "etcd: alarm NOSPACE",
        "Deployment shop/api: 2 of 3 ready", "Deployment shop/usual: 0 of 1 ready",
        "DaemonSet shop/agent: 3 of 4 ready",
    ]  # fmt: skip


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return what says which backups are late, for services and what is the newest point of each."""
    monkeypatch.undo()

    def judged(services: tuple[Service, ...], **points: NewestPoint) -> list[str]:
        found = SimpleNamespace(newest=lambda service: points[service.name])
        monkeypatch.setattr(RestorablePoints, "from_profile", lambda _: found)
        sql = SimpleNamespace(unarchived=lambda known: 59.0 if known else None)
        monkeypatch.setattr(Postgres, "from_profile", lambda _: sql)
        profile = Profile(file=Path("x"), name="n", kind="staging", platform=Platform(services=services))
        return degraded.late_backups(profile, NOW)

    return judged


def opened(age_s: float, *faults: str, segments: frozenset[str] = frozenset()) -> NewestPoint:
    return NewestPoint("Object b/k", NOW - dt.timedelta(seconds=age_s), faults, segments)


def test_which_backups_are_late(late: Callable[..., list[str]]) -> None:
    """What counts is the newest point that opens; a newer one that does not stops the drill by itself."""
    names = ("fresh", "old", "broken", "none", "idle", "undeclared")
    services = tuple(Service(name, rpo_s=None if name == "undeclared" else 60) for name in names)
    assert late(
        services, fresh=opened(59), old=opened(61), broken=opened(59, "Object b/new: does not open"),
        none=NewestPoint(), idle=opened(600, segments=frozenset({"0" * 24})),
    ) == [
        "Service old: newest backup that opens 61 s old, not 60 s",
        "Service broken: its newest backup cannot be restored: Object b/new: does not open",
        "Service none: there is no backup",
        "Service undeclared: no objective is declared",
    ]  # fmt: skip
    assert late(()) == ["no stateful service is declared"]
