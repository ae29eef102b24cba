"""Each live judgement sends what its policy declares rights for, and declares no more than it sends."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from assay.catalogue import load_catalogue
from assay.config.loader import load_profile
from assay.config.profile import Profile
from assay.model import Tier
from assay.right import GRANTING, DeclaredRight, matches
from assay.rights.needed import OF_A_RUN, expanded
from lab import profile


ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not profile.PATH.exists(), reason="the lab is not up: `make lab-up`")
CATALOGUE = load_catalogue(ROOT)
LIVE = sorted({case.control for case in CATALOGUE.cases if case.tier is Tier.LIVE})


@dataclass(frozen=True)
class Sent:
    """One kind of request that a judgement sent."""

    system: str
    verb: str
    resource: str
    effect: str

    def __str__(self) -> str:
        return f"{self.system}: {self.verb} {self.resource} ({self.effect})"


@pytest.fixture(scope="module")
def stack() -> Profile:
    return load_profile(profile.PATH)


def judged_alone(control: str, folder: Path) -> dict[str, set[Sent]]:
    """Return asker -> what it sent, of a run of one live control; no other has asked anything before it."""
    argv = [sys.executable, "-m", "pytest", "acceptance/", "-q", "-p", "no:cacheprovider"]
    argv += ["--stack", str(profile.PATH), "--control", control, "--tier", "live"]
    done = subprocess.run(
        argv,
        cwd=ROOT,
        env={"PYTHONPATH": "src", "PATH": "/usr/bin:/bin", "HOME": str(folder), "ASSAY_REPORTS": str(folder)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, f"{control} was not judged green:\n{done.stdout[-3000:]}"
    (report,) = folder.glob("*.requests.json")
    found: dict[str, set[Sent]] = {}
    for row in json.loads(report.read_text())["requests"]:
        for asker in row["for"]:
            one = Sent(row["system"], row["verb"], row["resource"], row["effect"])
            found.setdefault(asker, set()).add(one)
    return found


def kind_of(bucket: str, stack: Profile) -> str:
    if bucket == stack.s3.canary_bucket:
        return "canary"
    return bucket if bucket == "*" else "backups"


def covered(sent: Sent, rights: list[DeclaredRight], stack: Profile) -> bool:
    resource = kind_of(sent.resource, stack) if sent.system == "s3" else sent.resource
    return any(one.system == sent.system and one.covers(sent.verb, resource, sent.effect) for one in rights)


def unused(right: DeclaredRight, sent: set[Sent], stack: Profile) -> list[str]:
    """Return the verbs on resources of a right that were not used."""
    used = [
        (one.verb, kind_of(one.resource, stack) if one.system == "s3" else one.resource)
        for one in sent
        if one.system == right.system and one.effect == right.effect
    ]
    return [
        f"{right.system}: {verb} {what} ({right.effect})"
        for verb in right.verbs
        for what in right.on
        if not any(verb == does and matches(what, resource) for does, resource in used)
    ]


@pytest.mark.parametrize("control", LIVE)
def test_rights_are_what_a_judgement_uses_no_less_and_no_more(
    control: str, stack: Profile, tmp_path: Path
) -> None:
    found = judged_alone(control, tmp_path)
    rights = [expanded(one, stack) for one in CATALOGUE.controls[control].rights.get(Tier.LIVE, ())]
    sent = {one for one in found.pop(f"{control} live", set()) if one.system in GRANTING}
    assert [str(one) for one in sent if not covered(one, rights, stack)] == [], (
        "sent, and no right is declared"
    )
    own = [one for one in rights if not (one.only or one.beside)]
    assert [line for one in own for line in unused(one, sent, stack)] == [], "declared, and never sent"
    itself = {one for each in found.values() for one in each if one.system in GRANTING}
    assert [str(one) for one in itself if not covered(one, list(OF_A_RUN), stack)] == []


def test_static_judgements_ask_no_system(tmp_path: Path) -> None:
    """So they need no rights, and declare none."""
    argv = [sys.executable, "-m", "pytest", "acceptance/", "-q", "-p", "no:cacheprovider"]
    argv += ["--stack", str(profile.PATH), "--tier", "static"]
    env = {
        "PYTHONPATH": "src",
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "ASSAY_REPORTS": str(tmp_path),
    }
    subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, timeout=400, check=False)
    (report,) = tmp_path.glob("*.requests.json")
    rows = json.loads(report.read_text())["requests"]
    assert [row for row in rows if any(asker.endswith("static") for asker in row["for"])] == []
    assert not any(one.rights.get(Tier.STATIC) for one in CATALOGUE.controls.values())
