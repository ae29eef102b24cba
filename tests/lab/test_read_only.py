"""The read-only mode, by the platform's own logs: what a run sent, no more and no less, and no change.

The run judges static and live as it does outside a lab by itself: reads and dry runs. Then the audit logs of
all API servers, Vault's audit device, the object store's access log and the Talos API log of each node are
read, and laid beside the run's own list. The same judgement turns red for each kind of change, planted here.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from assay.config.loader import load_profile
from assay.config.profile import Profile
from assay.polling import poll
from assay.probes.guard import SENT
from assay.probes.kube.client import Kube
from assay.probes.talos.fleet import CONTROL_PLANE
from assay.probes.talos.read import Talos
from assay.proof.plant import Plant
from assay.run.options import new_run
from assay.run.past import find_run
from assay.run.requests import SentRequests, requests_of
from assay.run.stack_lock import StackLock
from assay.writers.kube_decoy import decoy_namespace
from assay.writers.s3 import S3Writer
from assay.writers.talos import TalosWriter
from assay.writers.vault import drill_connection
from lab import logs, profile
from lab.request_log import READS, WRITES, Logged, Window, read


ROOT = Path(__file__).parents[2]
PARTS = ("[vault]", "[s3]", "[sql]")
pytestmark = pytest.mark.skipif(
    not (profile.PATH.exists() and all(part in profile.PATH.read_text() for part in PARTS)),
    reason="the lab is not up, or not with all parts: `make lab-up`",
)
# What each source must have of the run, or it is no log of it: (verb, resource).
BASELINE = {
    "apiserver_audit": ("get", "namespaces"),
    "vault_audit": ("read", "sys/mounts"),
    "object_store_access": ("ListBuckets", "*"),
    "talos_api": ("", "machine.MachineService/Version"),
}
# One member answers for all of Vault: a standby hands on what it is asked, and the active one logs it.
TOGETHER = ("vault_audit",)
# Vault answers these before its audit devices; they change nothing and are in no log.
NOT_LOGGED = {("vault", "read", "sys/health"), ("vault", "read", "sys/seal-status")}
STATE = "cosi.resource.State"
APPLY = "machine.MachineService/ApplyConfiguration"
FLUSHED_S = 60.0
LOCK_S = 1800.0
Kind = tuple[str, str, str]


@dataclass(frozen=True)
class Seen:
    """A run, and what the platform's logs have of its time.

    Attributes:
        agent: the user agent of the run.
        listed: what the run says that it sent.
        logged: by kind of log and source.
        untouched: the nodes whose machine configuration is the version that it was before.
    """

    agent: str
    listed: Sequence[SentRequests]
    logged: dict[tuple[str, str], list[Logged]]
    untouched: Collection[str]

    def is_own(self, one: Logged) -> bool:
        """Return whether a request is the run's. The Talos API log knows no callers: there, all are."""
        return one.system == "talos" or one.agent.startswith(self.agent)

    @cached_property
    def own(self) -> list[Logged]:
        """Return the run's own requests."""
        return [one for several in self.logged.values() for one in several if self.is_own(one)]

    @property
    def changes(self) -> list[Logged]:
        """Return what may have changed something: of the run, and of its identities with another agent.

        The Talos API log does not tell a dry run of ApplyConfiguration from a real one; the version of the
        machine configuration does.
        """
        who = {(one.system, one.who) for one in self.own if one.who}
        entries = [one for several in self.logged.values() for one in several]
        theirs = [one for one in entries if (one.system, one.who) in who and "assay/" not in one.agent]
        return [
            one
            for one in [*self.own, *theirs]
            if one.effect == WRITES and not (one.resource == APPLY and one.source in self.untouched)
        ]

    @property
    def silent(self) -> list[str]:
        """Return the logs without the reads that they must have seen."""
        found: dict[tuple[str, str], list[Logged]] = {}
        for (kind, source), entries in self.logged.items():
            place = (kind, "any member") if kind in TOGETHER else (kind, source)
            found.setdefault(place, []).extend(filter(self.is_own, entries))
        return [
            f"{kind} of {source}"
            for (kind, source), entries in found.items()
            if BASELINE[kind] not in {(one.verb, one.resource) for one in entries if one.effect == READS}
        ]

    @property
    def unlisted(self) -> set[Kind]:
        """Return the kinds of requests that arrived and are not in the run's list."""
        return {_kind(one) for one in self.own} - {_kind(one) for one in self.listed}

    @property
    def unlogged(self) -> set[Kind]:
        """Return the kinds of requests in the run's list that no log has, of the systems that have one."""
        systems = {"kubernetes", "vault", "s3", "talos"}
        listed = {_kind(one) for one in self.listed if one.system in systems}
        return listed - {_kind(one) for one in self.own} - NOT_LOGGED


def _kind(one: Logged | SentRequests) -> Kind:
    """Return system, verb and resource; of Talos the method only, of which its log has no more."""
    if one.system != "talos":
        return one.system, one.verb, one.resource
    service, _, method = one.resource.partition("/")
    return "talos", "", service if service == STATE else f"{service}/{method}"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _versions(of: Profile) -> dict[str, str]:
    """Return node -> the version of its machine configuration, which counts every change of it."""
    talos = Talos.from_profile(of)
    return {node.name: str(talos.stored(node)["metadata"]["version"]) for node in talos.machines}


@contextmanager
def observed(of: Profile, *, alone: bool = False) -> Iterator[list[Seen]]:
    """Yield a list that holds, after the block, what the logs have of its time; nobody else plants then."""
    known, found = json.loads(logs.PATH.read_text()), list[Seen]()
    time.sleep(2)  # the window is a second wider than the block: what ended just before is not of it
    with closing(StackLock(of)) as lock:
        assert lock.try_exclusive(LOCK_S) if alone else lock.shared(LOCK_S) is None
        before, begin = _versions(of), _now()
        yield found
        window = Window(begin, _now())
        after = _versions(of)
    untouched = [node for node, version in before.items() if after[node] == version]
    found.append(Seen(SENT.agent, (), read(known, window), untouched))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Return a run of static and live with the defaults outside a lab, once the logs have all of it."""
    folder = tmp_path_factory.mktemp("read-only")
    mine = folder / "staging.toml"
    mine.write_text(profile.PATH.read_text().replace('"kind" = "lab"', '"kind" = "staging"'))
    argv = [sys.executable, "-m", "assay.cli", "check", "--stack", str(mine)]
    argv += ["--tier", "static", "--tier", "live"]
    with observed(load_profile(profile.PATH)) as found:
        begin = _now()
        environment = {**os.environ, "ASSAY_REPORTS": str(folder)}
        done = subprocess.run(
            argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1500, check=False
        )
    assert done.returncode in (0, 1, 10), done.stdout + done.stderr
    past = find_run(folder / "evidence", json.loads((folder / "verdicts.json").read_text())["run"])
    known, window = json.loads(logs.PATH.read_text()), Window(begin, _now())
    result = Seen(f"assay/{past.run}", requests_of(past), found[0].logged, found[0].untouched)

    def whole() -> bool:
        nonlocal result
        result = Seen(result.agent, result.listed, read(known, window), result.untouched)
        return not result.unlogged

    poll(whole, FLUSHED_S, every_s=5.0)
    return result


def test_every_log_has_the_reads_that_it_must_have_seen(seen: Seen) -> None:
    assert seen.silent == []


def test_no_request_changes_anything(seen: Seen) -> None:
    assert [str(one) for one in seen.changes] == []


def test_what_arrived_is_what_the_run_says_that_it_sent(seen: Seen) -> None:
    assert seen.unlisted == set()
    assert seen.unlogged == set()


def test_the_run_lists_no_change_of_its_own(seen: Seen) -> None:
    assert [one for one in seen.listed if one.changes] == []


# The same judgement, where something was changed -------------------------------------------------------


def _kube(of: Profile) -> None:
    with decoy_namespace(Kube.from_profile(of).wire, Plant(of).gated) as decoy:
        about = {"name": "planted", "namespace": decoy.namespace}
        decoy.writer.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": about})
        decoy.writer.patch("v1", "ConfigMap", decoy.namespace, "planted", {"data": {"a": "b"}})


def _vault(of: Profile) -> None:
    connection, name = drill_connection(of), f"assay-drill-{new_run()}"
    try:
        connection.need("post", f"kv/data/{name}", {"data": {"a": "b"}})
    finally:
        connection.need("delete", f"kv/metadata/{name}")


def _s3(of: Profile) -> None:
    writer = S3Writer.from_profile(of)
    with writer.bucket("read-only", lock=False) as bucket:
        writer.upload(bucket, "planted", b"planted")


def _talos(of: Profile) -> None:
    worker = next(one for one in Talos.from_profile(of).machines if one.role != CONTROL_PLANE)
    patch = {"machine": {"nodeAnnotations": {"assay.dev/planted": "1"}}}
    with TalosWriter.from_profile(of).patched(worker.name, patch):
        pass


PLANTED = {
    "kubernetes": (
        _kube,
        {"create namespaces", "create configmaps", "patch configmaps", "delete namespaces"},
    ),
    "vault": (_vault, {"update kv/data/*", "delete kv/metadata/*"}),
    "s3": (_s3, {"PutObject", "DeleteObject"}),
    "talos": (_talos, {APPLY}),
}


@pytest.mark.parametrize("system", PLANTED)
def test_a_change_is_seen(system: str) -> None:
    of, (plant, wanted) = load_profile(profile.PATH), PLANTED[system]
    SENT.begin(new_run())
    with observed(of, alone=True) as found:
        plant(of)
    words = {f"{one.verb} {one.resource}".strip() for one in found[0].changes if one.system == system}
    words |= {one.verb for one in found[0].changes if one.system == "s3"}
    assert wanted <= words, words


def test_a_log_of_another_time_is_not_a_pass() -> None:
    known, long_ago = json.loads(logs.PATH.read_text()), datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    nothing = Seen("assay/x", (), read(known, Window(long_ago, long_ago)), ())
    sources = {(kind, "" if kind in TOGETHER else one) for kind, log in known.items() for one in log["files"]}
    assert len(nothing.silent) == len(sources) > 10
