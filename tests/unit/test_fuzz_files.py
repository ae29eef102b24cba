"""Every reader of files and printed texts, fed with anything: it reads, or refuses by an error with a remedy.

Readers that have a property of their own beside their other tests are not here again.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from assay.backups import ciphertext, points, retention, snapshot, vault_snapshot
from assay.backups.schedules import declared_accounts, declared_schedules
from assay.catalogue import read_policy
from assay.config.platform import Platform
from assay.config.sops_access import SopsAccess
from assay.drills.engine.journal import read_journal as read_journal
from assay.drills.restore import etcd_evidence, vault_evidence
from assay.drills.restore.postgres_tools import TOOLS
from assay.drills.restore.sql_ledger import json_rows, ledger_rows
from assay.formats import yaml_text
from assay.formats.bolt import Bolt
from assay.formats.hcl import Hcl
from assay.formats.yaml_text import YamlScalar, documents
from assay.origins.configmaps import ConfigMaps, configmap_faults
from assay.origins.helm_record import decoded_record
from assay.origins.leaks import BASELINE, SecretScan
from assay.origins.local_copies import Script, in_documents, in_scripts
from assay.origins.secret_uses import uses
from assay.origins.sops_files import encryption_faults
from assay.origins.sops_rules import rulebook_faults
from assay.origins.template import filled
from assay.origins.terraform_secrets import in_plan, in_sources, in_state, source_files
from assay.probes.gitops.manifests import Manifests
from assay.probes.kube.client import Kube
from assay.probes.runbook import help_pages
from assay.probes.runbook.cobra import CommandTree, arguments_fit
from assay.probes.runbook.reader import Runbook
from assay.probes.runbook.shell import Command
from assay.probes.sops.client import Sops
from assay.probes.talos.cert import read_credential
from assay.probes.talos.machineconfigs import pod_access
from assay.probes.talos.rendered import from_folder
from assay.probes.terraform.buckets import declared_buckets
from assay.probes.terraform.hetzner import rules, servers
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.terraform.sources import TerraformSources
from assay.probes.terraform.state import TerraformState, state_faults
from assay.probes.vault.policy import VaultFiles
from assay.run.detection import read_detections
from assay.run.evidence import read_lines, verify
from assay.run.progress import earlier
from assay.secretscan.files import file_texts as unpacked
from assay.secretscan.suspect import repeated
from assay.secretscan.text import looks_secret, secrets_in_text
from assay.writers.vault import shares_of
from tests.unit.backups.test_retention import TABLE
from tests.unit.backups.test_snapshot import RECORDED
from tests.unit.backups.test_vault_snapshot import archive
from tests.unit.probes.sops.test_file import OLDEST, RULES, sealed
from tests.unit.support.mutations import Parse, blobs, judged, objects, texts
from tests.unit.support.trees import tree


LINE = Command("File r.md:1", ("rclone", "lsf"))
MANIFEST = """apiVersion: batch/v1
kind: CronJob
metadata: {name: one, namespace: a, annotations: {assay.dev/backup-of: etcd}}
spec:
  schedule: "*/5 * * * *"
  jobTemplate: {spec: {activeDeadlineSeconds: 30, template: {spec: {
    containers: [{name: c, image: &i registry.example/a:v1, envFrom: [{secretRef: {name: s}}]}],
    volumes: [{name: v, secret: {secretName: s}}], imagePullSecrets: [{name: p}]}}}}
---
apiVersion: talos.dev/v1alpha1
kind: ServiceAccount
metadata: {name: two, namespace: a}
spec: {roles: [os:etcd:backup]}
"""
KUSTOMIZATION = """kind: Kustomization
namespace: a
resources: [one.yaml, https://example.test/base]
images: [{name: x, newName: registry.example/x, newTag: v1}, {name: y, digest: "sha256:aa"}]
configMapGenerator:
- name: g
  literals: [a=b, "password=Xy7-kQ93vLmZ0pWt"]
  files: [k=there.conf]
  envs: [there.conf]
  options: {annotations: {assay.dev/sensitive: "true"}}
"""
TERRAFORM = """terraform {
  backend "s3" {
    encrypt = true
  }
}
locals {
  many = { a = 1, b = "${var.x}" }
}
variable "x" {
  default = [1, "two", null]
}
resource "minio_s3_bucket" "b" {
  for_each = local.many
  bucket   = each.key
  dynamic "rule" {
    for_each = var.x
    content {
      port = rule.value
    }
  }
}
resource "hcloud_firewall" "f" {
  count = length(var.x) > 2 ? 1 : -1
  rule {
    port       = "6443"
    source_ips = [for one in var.x : one if one != null]
  }
}
"""
PLAN: dict[str, Any] = {
    "format_version": "1.2", "complete": True,
    "planned_values": {"root_module": {"resources": [
        {"address": "hcloud_firewall.f", "mode": "managed", "type": "hcloud_firewall", "name": "f",
         "index": 0, "values": {"rule": [{"port": "6443", "source_ips": ["::/0"], "direction": "in"}]}},
        {"address": "minio_s3_bucket.b", "mode": "managed", "type": "minio_s3_bucket", "name": "b",
         "values": {"bucket": "b", "object_locking": True}},
        {"address": "hcloud_server.s", "mode": "managed", "type": "hcloud_server", "name": "s",
         "values": {"labels": {"role": "worker"}}}],
        "child_modules": [{"resources": []}]}},
    "resource_changes": [
        {"address": one, "change": {"after_unknown": {"rule": [{"port": True}], "bucket": True}}}
        for one in ("hcloud_firewall.f", "minio_s3_bucket.b", "hcloud_server.s")],
}  # fmt: skip
STATE = {"version": 4, "resources": [{"mode": "managed", "type": "random_password", "name": "p", "instances": [
    {"index_key": "a", "attributes": {"result": "x", "list": [1]}, "sensitive_attributes": [
        [{"type": "get_attr", "value": "result"}]]}]}], "outputs": {"o": {"value": "v", "sensitive": True}}}  # fmt: skip
POLICY = """id = "SEC-12"
statement = "s"
source = "s"
owner = "o"
tiers = ["live"]
remedy = "r"
limits = [{metric = "m", value = 1.5, unit = "s"}]
maps = {cis = ["1"]}
[lists]
a = ["b"]
"""
PIPELINE = "jobs: {a: {steps: [{uses: actions/cache@v4, with: {path: ~/.kube/config}}]}}\n"
RUNBOOK = b"## A\n\n```bash\ntalosctl -n <A> kubeconfig ./k > o\n```\n`kubectl get x`\n"
ACCESS = b"machine: {features: {kubernetesTalosAPIAccess: {allowedRoles: [a]}}}\n"
KUBECONFIG = """apiVersion: v1
kind: Config
current-context: x
contexts: [{name: x, context: {cluster: x, user: x}}]
clusters: [{name: x, cluster: {server: "https://127.0.0.1:1", certificate-authority-data: YQ==}}]
users: [{name: x, user: {token: abc, client-certificate-data: YQ==, client-key-data: YQ==}}]
"""
BASE = (
    '[[accepted]]\nobject = "a"\nline = 1\nrule = "r"\nreason = "r"\napprover = "a"\ncreated = 2026-01-01\n'
)
BASE += "expires = 2026-02-01\n"
TALOSCONFIG = "context: a\ncontexts:\n  a: {ca: YQ==, crt: YQ==, key: YQ==}\n"
POLICY_HCL = 'path "kv/data/a" {\n  capabilities = ["read"]\n}\n'
ROLE = {"bound_service_account_names": ["a"], "bound_service_account_namespaces": "b,c", "audience": "v",
        "token_policies": ["p"], "token_ttl": "15m", "token_max_ttl": 60, "token_period": 0}  # fmt: skip
SNAPSHOTS = "20261124T041000Z.snapshot.age\n"
SEGMENTS = "2026-11-24 04:10:00;archive/p/15-1/x/0000000100000000000000FF-" + "a" * 40 + ".zst\n"
HELP = (
    "Usage:\n  talosctl etcd snapshot <path> [flags]\n\nFlags:\n  -n, --nodes strings   x\n  --a=false: y\n"
)
STATUS = "NODE MEMBER\n10.0.0.1 a 2.7 MB d6e0297320720072 d6e0297320720072 1 2 3 false 3.6 3.6\n"
EVIDENCE = b'{"prev": "' + b"0" * 64 + b'", "sequence": 0, "verdict": "PASS"}\n'
JOURNAL = b'{"at": 1.0, "kind": "stage", "prev": "0000000000000000", "seq": 1, "stage": "armed"}\t00000000\n'


def of_pipeline(text: str) -> tuple[YamlScalar, ...]:
    """Return the values of a pipeline."""
    return tuple(leaf for one in documents(text, "a.yml") for leaf in one.leaves)


def packed() -> list[bytes]:
    """Return one archive of each kind."""
    tarred, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as tar:
        about = tarfile.TarInfo("a")
        about.size = 3
        tar.addfile(about, io.BytesIO(b"abc"))
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archived:
        archived.writestr("a", "abc" * 9)
    plain = [tarred.getvalue()[:1024], zipped.getvalue()]
    return [*plain, gzip.compress(plain[0]), bz2.compress(b"abc"), lzma.compress(b"abc"),
            b"%PDF-1\nstream\nx\nendstream (abc)", "\ufeffabc".encode("utf-16"), b"a\0bcdefghij"]  # fmt: skip


with tempfile.TemporaryDirectory() as _made:
    RAFT = archive(Path(_made) / "a").read_bytes()


def digested(raw: bytes) -> bytes:
    """Return a snapshot whose own checksum is right, whatever else is not."""
    raw = raw + b"\0" * (-len(raw) % 512)
    return raw + hashlib.sha256(raw).digest()


def of_manifests(path: Path) -> object:
    manifests = Manifests([tree(path.parent)])
    found = [manifests.images(), uses(manifests), declared_accounts(manifests)]
    return [*found, [one.interval for one in declared_schedules(manifests, Platform())]]


def of_sops(path: Path) -> object:
    (path.parent / "there.conf").write_text("a=b\n")
    sops = Sops(SopsAccess(trees=(path.parent,)), ())
    return [
        configmap_faults(ConfigMaps(sops.everything, "assay.dev/sensitive").entries, ()),
        [encryption_faults(one, OLDEST) for one in sops.files],
    ]


def of_rules(path: Path) -> object:
    sops = Sops(SopsAccess(trees=(path.parent,)), ())
    return [list(rulebook_faults(book, SopsAccess(recipients=("age1x",)), [])) for book in sops.rulebooks]


def of_terraform(path: Path) -> object:
    (path.parent / "x.tf").write_text('variable "x" {}\n')
    found, terraform = Hcl(path.parent), TerraformSources([tree(path.parent)])
    every = found.resources()
    judged_so = [declared_buckets(every), rules(every), servers(every), state_faults(found.settings(), every)]
    return [judged_so, found.modules, in_sources(terraform, source_files(terraform))]


def of_plan(path: Path) -> object:
    every = TerraformPlan(path).resources
    return [
        declared_buckets(every),
        rules(every),
        servers(every),
        state_faults([], every),
        in_plan(TerraformPlan(path)),
    ]


def of_state(path: Path) -> object:
    state = TerraformState(path)
    return None if state.encrypted else in_state(state)


def of_help(text: str) -> object:
    tree = CommandTree("talosctl", Path("talosctl"))
    usage = tree._usage(("etcd", "snapshot"), text) or text
    return (
        tree._takes_value(text),
        tree._leaf(text),
        arguments_fit(usage, ["a"]),
        help_pages._shown("x", text),
    )


def of_logs(text: str) -> object:
    found = (vault_evidence.fetched_snapshot, vault_evidence.installed_snapshot, vault_evidence.broken, vault_evidence.shown,
             etcd_evidence.voters,
             *(part for one in TOOLS.values() for part in (one.fetched, one.failed, one.label)))  # fmt: skip
    return [read_journal(text) for read_journal in found]


def beside(read_journal: Callable[[Path], object]) -> Parse:
    """Return what reads the folder that a file lies in."""
    return lambda path: read_journal(path.parent)


Fed = st.SearchStrategy[Any]
ANY_FILE = st.sampled_from(["a.yaml", "a.tf", "a.md", "a.py", "a", "a.json", "a.env"])
LEAKY = texts(MANIFEST, TERRAFORM, sealed(), 'ENV A_TOKEN abc\n<a key="b" value="c"/>\n')
PAGES = texts(HELP, "Usage: vault kv get [options] KEY\n  -mount=x\n")
PRINTED: dict[str, tuple[Fed, Parse]] = {
    "yaml": (texts(MANIFEST), lambda text: yaml_text.documents(text, "f")),
    "help": (PAGES, of_help),
    "scripts": (
        texts(PIPELINE),
        lambda text: in_scripts([Script("a.yml", text, of_pipeline(text)), Script("a.sh", text)]),
    ),
    "leaks in text": (st.tuples(ANY_FILE, LEAKY), lambda pair: secrets_in_text(*pair)),
    "leaks in files": (blobs(*packed()), lambda raw: list(unpacked("f", raw))),
    "suspicion": (
        texts("postgres://u:p@h/d", "YQ%3D%3D"),
        lambda text: (looks_secret(text, text), repeated(text)),
    ),
    "template": (
        st.tuples(texts("a={{ .x | b64enc }} {{ .y }}"), blobs(b"a=YQ== b")),
        lambda pair: filled(*pair),
    ),
    "release": (
        texts(base64.b64encode(base64.b64encode(gzip.compress(b'{"chart": {}}'))).decode()),
        decoded_record,
    ),
    "segments": (texts(SEGMENTS), lambda text: TOOLS["pgbackrest"].newest_segment(text, 2e9, LINE)),
    "snapshots": (texts(SNAPSHOTS), lambda text: vault_evidence.newest_before(text, 2e9, LINE)),
    "rows": (
        texts('w0-000001\t{"id": 1}\n', '{"id": 1}\n'),
        lambda t: (json_rows, ledger_rows)[len(t) % 2](t),
    ),
    "logs": (texts(STATUS, "fetched: 1 bytes\nP00  ERROR: x\n"), of_logs),
}
FILED: dict[str, tuple[Fed, Parse]] = {
    "a.yaml": (texts(MANIFEST), of_manifests),
    "kustomization.yaml": (texts(KUSTOMIZATION), of_manifests),
    "types.yaml": (blobs(b"machine:\n  type: worker\n"), beside(from_folder)),
    "access.yaml": (blobs(ACCESS), beside(pod_access)),
    "one.sops.yaml": (blobs(sealed().encode()), of_sops),
    "generators/kustomization.yaml": (texts(KUSTOMIZATION), of_sops),
    ".sops.yaml": (blobs(RULES.encode()), of_rules),
    "main.tf": (texts(TERRAFORM), of_terraform),
    "terraform.tfvars": (texts('x = ["a"]\n'), of_terraform),
    "terraform.tfvars.json": (texts('{"x": ["a"]}'), of_terraform),
    "terraform.tfstate": (objects(STATE).map(json.dumps) | texts(json.dumps(STATE)), of_state),
    "plan.json": (objects(PLAN).map(json.dumps), of_plan),
    "runbook.md": (blobs(RUNBOOK), lambda path: in_documents(Runbook(path))),
    BASELINE: (blobs(BASE.encode()), lambda path: SecretScan(tree(path.parent), None).baseline),
    "backups.md": (blobs(TABLE.encode()), retention.documented),
    "pgbackrest.conf": (blobs(b"a=1\n"), lambda path: retention.setting(path, "a")),
    "raft.snap": (blobs(RAFT), vault_snapshot.checksums),
    "sealed.age": (blobs(b"age-encryption.org/v1\n"), points.encryption_fault),
    "kit/key": (blobs(b"AN-IDENTITY-OF-SOME-LENGTH\n"), beside(ciphertext.kept_secrets)),
    "etcd.snapshot": (
        blobs(RECORDED[: 3 * 4096]).map(digested),
        lambda path: snapshot.read_snapshot(path, "/registry/secrets/"),
    ),
    "member.db": (blobs(RECORDED[:-32]), lambda path: list(Bolt(path, digest=False).bucket(b"key"))),
    "policies/p.hcl": (blobs(POLICY_HCL.encode()), lambda path: VaultFiles(path.parents[1]).policies()),
    "roles/r.json": (objects(ROLE).map(json.dumps), lambda path: VaultFiles(path.parents[1]).roles()),
    "unseal.json": (texts('{"shares": ["a", "b"], "threshold": 2}'), shares_of),
    "talosconfig": (blobs(TALOSCONFIG.encode()), lambda path: read_credential("admin", path)),
    "kubeconfig": (blobs(KUBECONFIG.encode()), lambda path: Kube(path).authority()),
    "policy.toml": (blobs(POLICY.encode()), lambda path: read_policy(path, path.parent)),
    "evidence.jsonl": (blobs(EVIDENCE), lambda path: verify(read_lines(path))),
    "runs.jsonl": (blobs(EVIDENCE), beside(earlier)),
    "detections.json": (blobs(b'[{"control": "a"}]'), read_detections),
    "journal.jsonl": (blobs(JOURNAL), read_journal),
}


@pytest.mark.parametrize("name", PRINTED)
def test_whatever_is_printed_is_read_or_refused(name: str) -> None:
    judged(*PRINTED[name])


@pytest.mark.parametrize("name", FILED)
def test_whatever_is_filed_is_read_or_refused(name: str, tmp_path: Path) -> None:
    fed, parse = FILED[name]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)

    def read_journal(written: str | bytes) -> object:
        raw = written if isinstance(written, bytes) else written.encode("utf-8", "surrogatepass")
        path.write_bytes(raw)
        return parse(path)

    judged(fed, read_journal)
