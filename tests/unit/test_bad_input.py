"""Bad input, end to end: the real controls on a platform that answers badly, and what their reader sees.

Each case runs a control's own test: verdict, reason and remedy are read from the evidence and the terminal.
Values are planted wherever such a platform has one; none may come out.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from assay.drills.engine.journal import Stage, read_journal
from assay.drills.engine.signals import interruptible
from assay.drills.registry import Drills
from assay.drills.restore import postgres_evidence as evidence
from assay.drills.restore.postgres import PostgresRestore
from assay.drills.restore.procedure import StepError
from assay.drills.restore.result import PARTS, Restore, RestoreResult
from assay.drills.restore.scratch_restore import ScratchRestore
from assay.drills.workload.verdict import OK, Op
from assay.probes.s3 import client as s3
from tests.unit.backups.test_snapshot import RECORDED
from tests.unit.drills.engine.test_engine import Nodes, all_on, path, started
from tests.unit.probes.sops.test_file import sealed
from tests.unit.support.catalogue import INI
from tests.unit.support.fake_platform import TOKEN, VALUE, Answer, Reader, World, after, refused, sent, served


EVERYTHING = '#!/bin/sh\ntail -c +23 "$6" > "$5"\n'
AGE = b"age-encryption.org/v1\n"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A platform that answers nothing yet."""
    with served(tmp_path / "world") as made:
        yield made


@pytest.fixture
def reader(pytester: pytest.Pytester, world: World, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """The reader of what comes of a control on that platform; nothing else names a stack or a way to one."""
    for name in ("ASSAY_STACK", "ASSAY_RUN", "KUBECONFIG", "VAULT_TOKEN", "VAULT_ADDR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_REPORTS", str(pytester.path / "reports"))
    pytester.makefile(".ini", pytest=INI)
    monkeypatch.setattr(s3.connect_s3, "__kwdefaults__", {**s3.connect_s3.__kwdefaults__, "tries": 1})
    monkeypatch.setattr("assay.probes.kube.wire.BUSY_WAIT_S", 0)
    return Reader(pytester, world)


# what is bad -----------------------------------------------------------------------------------------


HEALTH = {"initialized": True, "sealed": False}
SEAL = {**HEALTH, "type": "shamir", "storage_type": "raft"}
KEYS = {"items": [], "kind": "List", "metadata": {}}


def vault(world: World, path: str, answer: Answer) -> None:
    answers = {"/v1/sys/health": sent(200, HEALTH), "/v1/sys/seal-status": sent(200, SEAL)}
    world.routes |= {**answers, path: answer}


def vault_sealed(world: World) -> None:
    world.routes["/v1/sys/health"] = sent(503, {**HEALTH, "sealed": True, "note": VALUE})


def vault_denies(world: World) -> None:
    vault(world, "/v1/sys/storage/raft/configuration", sent(403, {"errors": [f"{TOKEN}: permission denied"]}))


def vault_breaks(world: World) -> None:
    vault(world, "/v1/sys/storage/raft/configuration", sent(500, {"errors": [f"token {TOKEN} {VALUE}"]}))


def vault_is_cut(world: World) -> None:
    vault(world, "/v1/sys/storage/raft/configuration", sent(200, f'{{"data": "{VALUE}'.encode()))


def vault_is_another(world: World) -> None:
    vault(world, "/v1/sys/storage/raft/configuration", sent(200, {"data": {"config": {"servers": [VALUE]}}}))


EXTERNAL = {
    "metadata": {"namespace": "shop", "name": "app", "uid": "u"},
    "spec": {"secretStoreRef": {"name": "vault"}, "dataFrom": [{"extract": {"key": "app"}}]},
}
STORE = {"metadata": {"namespace": "shop", "name": "vault"}, "spec": {"provider": {"vault": {}}}}
GROUP = "/apis/external-secrets.io"
SYNCED = f"{GROUP}/v1"
VERSION = {"groupVersion": "external-secrets.io/v1"}


def kv(version: str) -> Answer:
    return sent(200, {"data": {"kv/": {"type": "kv", "options": {"version": version}}}})


def synced(world: World, version: str) -> None:
    known = [{"name": "externalsecrets"}, {"name": "secretstores"}]
    world.routes[GROUP] = sent(200, {"preferredVersion": VERSION, "versions": [VERSION]})
    world.routes[SYNCED] = sent(200, {"kind": "APIResourceList", "resources": known})
    world.routes[f"{SYNCED}/externalsecrets"] = sent(200, {**KEYS, "items": [EXTERNAL]})
    world.routes[f"{SYNCED}/secretstores"] = sent(200, {**KEYS, "items": [STORE]})
    vault(world, "/v1/sys/mounts", kv(version))


def kv_version_1(world: World) -> None:
    synced(world, "1")


def kv_is_cut(world: World) -> None:
    synced(world, "2")
    world.routes["/v1/kv/metadata"] = sent(200, {"data": {"keys": ["app"]}})
    cut = json.dumps({"data": {"data": {"password": VALUE}, "metadata": {}}})[:-3]
    world.routes["/v1/kv/data/app"] = sent(200, cut.encode())


def secret(world: World, data: object) -> None:
    item = {"metadata": {"namespace": "shop", "name": "app"}, "type": "Opaque", "data": data}
    world.routes["/api/v1/secrets"] = sent(200, {**KEYS, "items": [item]})
    world.routes[GROUP] = sent(404, {"kind": "Status", "message": "not found"})
    encrypted(world, sealed())
    world.write("sops", "#!/bin/sh\nexit 0\n", 0o755)
    config = {"metadata": {"id": "v1alpha1"}, "spec": json.dumps({"machine": {"token": VALUE}})}
    world.write("talosctl", f"#!/bin/sh\necho '{json.dumps(config)}'\n", 0o755)
    world.routes["/api/v1/nodes"] = sent(200, {**KEYS, "items": [{"metadata": {"name": "cp-1"}}]})
    world.routes["/apis"] = sent(200, {"kind": "APIGroupList", "groups": []})
    listed = [{"name": "configmaps", "kind": "ConfigMap", "verbs": ["get", "list"]}]
    world.routes["/api/v1"] = sent(200, {"kind": "APIResourceList", "resources": listed})
    settings = {"metadata": {"namespace": "shop", "name": "c"}, "data": {"level": "debug"}}
    world.routes["/api/v1/configmaps"] = sent(200, {**KEYS, "items": [settings]})


def secret_of_a_mebibyte(world: World) -> None:
    secret(world, {"large": base64.b64encode(VALUE.encode() * (1024 * 1024 // len(VALUE))).decode()})


def secret_of_bytes(world: World) -> None:
    secret(world, {"binary": base64.b64encode(b"\xff\x00" + VALUE.encode() + bytes(range(256))).decode()})


def secret_that_is_none(world: World) -> None:
    secret(world, {"broken": f"%%{VALUE}"})


def secrets_cut(world: World) -> None:
    secret(world, {})
    raw = json.dumps({**KEYS, "items": [{"metadata": {}, "data": {"k": VALUE}}]}).encode()[:-4]
    world.routes["/api/v1/secrets"] = sent(200, raw)


def secrets_denied(world: World) -> None:
    secret(world, {})
    said = {"kind": "Status", "code": 403, "message": f"secrets is forbidden: Bearer {TOKEN}"}
    world.routes["/api/v1/secrets"] = sent(403, said)


def encrypted(world: World, text: str) -> None:
    world.write("gitops/one.sops.yaml", text)


def sops_cut(world: World) -> None:
    encrypted(world, sealed()[:260] + f"\n  clear: [{VALUE}")


def sops_without_key(world: World) -> None:
    encrypted(world, sealed())
    said = f"#!/bin/sh\necho {VALUE}\necho 'Failed to get the data key: {VALUE}' >&2\nexit 128\n"
    world.write("sops", said, 0o755)


def sops_is_not_there(world: World) -> None:
    encrypted(world, sealed())


def git(folder: Path, *words: str) -> None:
    author = ["-c", "user.name=t", "-c", "user.email=t@invalid", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *author, *words], check=True, capture_output=True)


def shallow_clone(world: World) -> None:
    world.write("origin/a", "a")
    git(world.folder / "origin", "init", "-q")
    git(world.folder / "origin", "add", "a")
    for _ in range(2):
        git(world.folder / "origin", "commit", "-q", "--allow-empty", "-m", "m")
    git(world.folder, "clone", "-q", "--depth", "1", f"file://{world.folder / 'origin'}", "repository")


SNAPSHOT = AGE + RECORDED
OBJECT = "/b/etcd/one.age"


def stored(world: World, body: bytes, answer: Answer | None = None, age: str = EVERYTHING) -> None:
    """Let the newest snapshot be `body`, which `age` opens, and be sent by `answer`."""
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    hour = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    row = (
        f"<Version><Key>etcd/one.age</Key><VersionId>1</VersionId><IsLatest>true</IsLatest><Size>{len(body)}"
    )
    row += f"</Size><LastModified>{hour}</LastModified><ETag>{etag}</ETag></Version>"
    told = f"<ListVersionsResult><Name>b</Name><IsTruncated>false</IsTruncated>{row}</ListVersionsResult>"
    world.routes |= {"/b": sent(200, told.encode()), OBJECT: answer or sent(200, body, ETag=f'"{etag}"')}
    world.write("age", age, 0o755)
    world.write("etcdutl", "#!/bin/sh\nexit 0\n", 0o755)


def s3_denies(world: World) -> None:
    world.routes["/b"] = refused(403, "AccessDenied")


def s3_is_busy(world: World) -> None:
    stored(world, SNAPSHOT, refused(503, "SlowDown"))


def s3_is_slow(world: World) -> None:
    stored(world, SNAPSHOT, after(1.8, sent(200, SNAPSHOT)))


def s3_cuts(world: World) -> None:
    stored(world, SNAPSHOT, sent(200, SNAPSHOT[:-700]))


def s3_sends_another(world: World) -> None:
    stored(world, SNAPSHOT, sent(200, SNAPSHOT[:-1] + b"x"))


def s3_sum_differs(world: World) -> None:
    stored(world, SNAPSHOT, sent(200, SNAPSHOT, **{"x-amz-meta-sha256": "0" * 64}))


def snapshot_flipped(world: World) -> None:
    stored(world, AGE + RECORDED[:9000] + bytes([RECORDED[9000] ^ 1]) + RECORDED[9001:])


def snapshot_cut(world: World) -> None:
    stored(world, AGE + RECORDED[:-512])


def disk_full(world: World) -> None:
    said = f"#!/bin/sh\necho 'age: write {VALUE}: no space left on device' >&2\nexit 1\n"
    stored(world, SNAPSHOT, age=said)


@dataclass(frozen=True)
class Case:
    """What is bad, the control that meets it, and what its reader gets to read."""

    bad: Callable[[World], None]
    control: str
    verdict: str
    reason: str
    remedy: str
    tier: str = "live"
    patience: float = 20.0


CASES = [
    Case(vault_sealed, "SEC-24", "FAIL", "no unsealed member: .* sealed", "add voters"),
    Case(
        vault_denies,
        "SEC-24",
        "ERROR",
        "raft/configuration: the token has no right to it",
        "policy that assay rights writes",
    ),
    Case(vault_breaks, "SEC-24", "ERROR", "HTTP 500: .*withheld", "Vault's log"),
    Case(vault_is_cut, "SEC-24", "ERROR", "HTTP 200 without a JSON object", "is this Vault's address"),
    Case(vault_is_another, "SEC-24", "ERROR", "another shape", "is this Vault's address"),
    Case(kv_version_1, "ACC-04", "ERROR", "kv/ is kv 1, not KV version 2", "enable-versioning kv/"),
    Case(kv_is_cut, "ACC-04", "ERROR", "kv/data/app: HTTP 200 without a JSON object", "is this Vault"),
    Case(secret_of_a_mebibyte, "ACC-04", "FAIL", "Secret shop/app: large: neither", "Move the value"),
    Case(secret_of_bytes, "ACC-04", "FAIL", "Secret shop/app: binary: neither", "Move the value"),
    Case(secret_that_is_none, "ACC-04", "ERROR", "Secret shop/app: broken is not base64", "ask again"),
    Case(secrets_cut, "ACC-04", "ERROR", "the answer is not JSON", "is this a Kubernetes API"),
    Case(secrets_denied, "ACC-04", "ERROR", "/api/v1/secrets.*403: .*withheld", "reader role this right"),
    Case(sops_cut, "SEC-21", "ERROR", "one.sops.yaml:[0-9]+: does not parse", "fix the file", "static"),
    Case(
        sops_without_key,
        "SEC-21",
        "ERROR",
        "none of the given identities",
        "that may decrypt",
        "static",
    ),
    Case(sops_is_not_there, "SEC-21", "ERROR", "sops does not run", "check binary", "static"),
    Case(shallow_clone, "SEC-20", "ERROR", "is a shallow clone", "git fetch --unshallow", "static"),
    Case(s3_denies, "ACC-10", "ERROR", "versions in b: 403 .*withheld", "the key may not do this"),
    Case(s3_is_busy, "ACC-10", "ERROR", "get Object b/etcd/one.age: 503", "overloaded or broken"),
    Case(
        s3_is_slow,
        "ACC-10",
        "ERROR",
        "in b: ReadTimeoutError|b/etcd/one.age: ReadTimeoutError",
        "serving",
        patience=0.5,
    ),
    Case(s3_cuts, "ACC-10", "ERROR", r"get Object b/etcd/one.age: \d+ bytes of \d+", "fetch it again"),
    Case(s3_sends_another, "ACC-10", "ERROR", "the bytes do not match their ETag", "fetch it again"),
    Case(s3_sum_differs, "ACC-10", "ERROR", "do not match the SHA-256", "fetch it again"),
    Case(snapshot_flipped, "ACC-10", "FAIL", "Service etcd: .*the snapshot's checksum is wrong", "Resume"),
    Case(snapshot_cut, "ACC-10", "FAIL", "Service etcd: .*the snapshot's checksum is wrong", "Resume"),
    Case(disk_full, "ACC-10", "ERROR", "age: the disk is full", "make room"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.bad.__name__)
def test_bad_input_gets_a_clear_verdict(
    case: Case, world: World, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3.connect_s3, "__defaults__", (case.patience,))
    case.bad(world)
    reader.sees(case.control, case.verdict, case.reason, case.remedy, case.tier)


# restores --------------------------------------------------------------------------------------------


DAY = 86400.0
OPS = [Op(f"w0-{n:06d}", n * DAY / 4, n * DAY / 4 + 1, OK) for n in range(1, 9)]


def restored(monkeypatch: pytest.MonkeyPatch, once: Callable[[PostgresRestore], RestoreResult]) -> None:
    drill = PostgresRestore.__new__(PostgresRestore)
    monkeypatch.setattr(Drills, "restore", lambda _, service: once(drill))


def test_yesterdays_backup_fails_although_all_pods_are_ready(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step of the runbook worked, every pod is Ready: the rows of today say that it is no restore."""
    kept = {op.key: 1 for op in OPS[:4]}
    wrong, lost, newest = evidence.compare_rows(OPS, kept, OPS[-1].end, "Restore postgres")
    parts = {**dict.fromkeys(PARTS, 0.0), "detect": 1.0, "decide": 1.0, "restore": 5.0, "verify": 5.0}
    restore = Restore("postgres", 0.0, parts, 1 << 20, OPS[-1].end - newest, lost, not wrong, "L3", 10.0)
    restored(monkeypatch, lambda _: RestoreResult(restore, tuple(wrong), len(OPS)))
    why = "4 rows that were archived before the loss did not come back"
    reader.sees("DR-01", "FAIL", why, "Close the gap in the archived log", "drill")


@pytest.mark.parametrize("why", ["curl: (23) No space left on device", "the server's pod is Evicted"])
def test_a_full_disk_in_mid_restore_says_nothing_about_the_backup(
    why: str, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(drill: PostgresRestore) -> RestoreResult:
        return RestoreResult(
            None, (ScratchRestore._offender(drill, StepError("File r.md:1", f"{why} (token {TOKEN})")),)
        )

    restored(monkeypatch, full)
    reader.sees("DR-01", "ERROR", "no room for the restore", "make room on the node", "drill")


def test_outside_a_lab_the_loss_of_all_control_planes_is_left_out_and_said(reader: Reader) -> None:
    """Nothing is broken, and it is no ERROR: the reader learns what counts instead."""
    reader.sees("DR-03", "NOT_CHECKED", "is drilled in labs only", "brought in as a signed record", "drill")


@pytest.mark.parametrize("returns", [True, False], ids=["back", "manual"])
def test_an_interrupted_drill_is_an_error_and_puts_back(
    returns: bool, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while a node is lost: it comes back, or its reader gets the command that brings it back."""
    nodes = tmp_path / "nodes"
    nodes.mkdir()
    for name in ("cp-1", "cp-2"):
        (nodes / name).touch()
    driver = Nodes(nodes)
    driver.blind = not returns

    def drill(_: PostgresRestore) -> RestoreResult:
        with interruptible(), started(nodes, driver) as engine, engine.acting("node", "cp-1"):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        raise AssertionError("the signal did not end the drill")

    restored(monkeypatch, drill)
    if returns:
        told = pytest.ExitCode.INTERRUPTED
        reader.sees("DR-01", "ERROR", "was interrupted", "assay drill status", "drill", told)
        assert all_on(nodes)
    else:
        reason = "a drill needs manual intervention: node cp-1 did not come back: launcher node start cp-1"
        reader.sees("DR-01", "ERROR", reason, "then assay drill rollback", "drill")
        assert read_journal(path(nodes))[0].stage is Stage.MANUAL_INTERVENTION
