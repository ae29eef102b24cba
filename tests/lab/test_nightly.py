"""The nightly judge with exactly the rights that `assay rights` generates: all static and live cases judged.

Command, account, roles and bounds are those of gitops/nightly; it runs beside the cluster, not in a pod.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from assay.catalogue import load_catalogue
from assay.model import Tier
from lab import build, cluster, nightly, profile
from lab.deploy import Cluster


ROOT = Path(__file__).parents[2]
B = build.BINARIES
CATALOGUE = load_catalogue(ROOT)
PYTEST = (sys.executable, "-m", "pytest", "acceptance/", "-p", "no:cacheprovider")
pytestmark = pytest.mark.skipif(not profile.PATH.exists(), reason="the lab is not up: `make lab-up`")


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install the judge and return its profile."""
    kubectl = Cluster(B / "kubectl", cluster.KUBECONFIG)
    with nightly.installed(kubectl):
        yield nightly.write_profile(kubectl, B, tmp_path_factory.mktemp("nightly"))


def as_judge(stack: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [str(B / "kubectl"), f"--kubeconfig={stack.parent / 'kubeconfig'}", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def command() -> list[str]:
    """Return what the CronJob runs, without its own --stack."""
    kubectl = Cluster(B / "kubectl", cluster.KUBECONFIG)
    job = next(one for one in nightly.documents(kubectl) if one["kind"] == "CronJob")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    words = [*container["command"], *container["args"]]
    at = words.index("--stack")
    return [*words[:at], *words[at + 2 :]]


def controls(names: Iterable[str]) -> list[str]:
    return [word for name in sorted(names) for word in ("--control", name)]


def judged(stack: Path, reports: Path, *words: str) -> dict[tuple[str, str], str]:
    """Return (control, tier) -> verdict and reason of one run."""
    argv = [sys.executable, "-m", *words] if words[0] == "pytest" else [*PYTEST, *words]
    argv += ["--stack", str(stack), "-n", "2"]
    env = {
        "PYTHONPATH": "src",
        "PATH": f"{B}:/usr/bin:/bin",
        "HOME": str(reports),
        "ASSAY_REPORTS": str(reports),
    }
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900, check=False)
    files = list((reports / "evidence").glob("*.jsonl"))
    assert len(files) == 1, done.stdout[-3000:] + done.stderr[-1000:]
    return nightly.verdicts(files[0])


def test_every_static_and_live_control_is_judged(judge: Path, tmp_path: Path) -> None:
    found = judged(judge, tmp_path, *command())
    wanted = {
        (case.control, str(case.tier)) for case in CATALOGUE.cases if case.tier in (Tier.STATIC, Tier.LIVE)
    }
    assert set(found) == wanted
    assert {case: said for case, said in found.items() if not said.startswith("PASS")} == {}


def test_without_os_admin_those_that_need_it_alone_are_errors(judge: Path, tmp_path: Path) -> None:
    """With a reader's talosconfig, each control that needs more names the role, and the others are judged."""
    live = {(case.control, case.tier) for case in CATALOGUE.cases if case.tier is Tier.LIVE}
    rights = {name: CATALOGUE.controls[name].rights.get(tier, ()) for name, tier in live}
    asking = {name for name, each in rights.items() if any(one.system == "talos" for one in each)}
    mighty = {name for name, each in rights.items() if any(one.grant == "os:admin" for one in each)}
    assert mighty
    assert asking - mighty
    found = judged(nightly.with_reader(judge), tmp_path, "--tier", "live", *controls(asking))
    by_control = {control: said for (control, _), said in found.items()}
    assert {name for name, said in by_control.items() if "os:admin" in said} == mighty, by_control
    assert {by_control[name].split()[0] for name in mighty} == {"ERROR"}, by_control
    assert {by_control[name].split()[0] for name in asking - mighty} == {"PASS"}


def test_what_rbac_cannot_bound_the_api_server_refuses(judge: Path) -> None:
    """The judge may make accounts and bindings in its own decoys; elsewhere by a dry run only."""
    bound = ("rolebinding", "x", "--clusterrole=edit", "--serviceaccount=assay:nightly")
    for words in (("serviceaccount", "x"), bound):
        refused = as_judge(judge, "create", *words, "-n", "default")
        assert "may only try things by dry run" in refused.stderr, refused
        tried = as_judge(judge, "create", *words, "-n", "default", "--dry-run=server")
        assert tried.returncode == 0, tried.stderr


def test_rights_that_nothing_needs_are_not_there(judge: Path) -> None:
    executing = ("create", "pods", "--subresource=exec")
    for words in (("get", "secrets"), ("delete", "pods"), executing, ("impersonate", "users")):
        assert as_judge(judge, "auth", "can-i", *words, "-A").stdout.strip() == "no", words


def test_doctor_names_the_role_that_is_missing_and_who_waits_for_it(judge: Path) -> None:
    """With a reader's talosconfig, on the real platform: Kubernetes and Vault give all, Talos not."""
    argv = [sys.executable, "-m", "assay.cli", "doctor", "--json", "--stack", str(nightly.with_reader(judge))]
    env = {"PYTHONPATH": "src", "PATH": f"{B}:/usr/bin:/bin", "HOME": str(judge.parent)}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    found = json.loads(done.stdout)
    assert done.returncode == 10
    lacking = [one for one in found["checks"] if one["kind"] == "right" and not one["ok"]]
    assert {one["subject"] for one in lacking} == {"Talos: os:operator", "Talos: os:admin"}
    assert not [one for one in found["cases"] if one["control"] == "NODE-01" and not one["ready"]]
    waiting = {one["control"] for one in found["cases"] if any("os:admin" in line for line in one["missing"])}
    assert {"DEP-05", "NODE-03", "SEC-33"} <= waiting
