"""Who and what a run's evidence is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.config.profile import Paths, Profile
from assay.errors import ProbeError
from assay.formats.tools import run_tool
from assay.stack import ReadStack


def stack_identity(profile: Profile, *, asked: bool) -> dict[str, Any]:
    """Return who and what a run's evidence is about.

    `asked` False leaves out what only a running stack can tell.
    """
    facts: dict[str, Any] = {
        "stack": profile.name,
        "stack_kind": profile.kind,
        "profile": profile.digest,
        "cluster_uid": "",
        "authority": "",
        "version": "",
        "actor": "",
        "revisions": revisions(profile.paths),
    }
    if asked:
        facts |= _running(profile)
    return facts


def _running(profile: Profile) -> dict[str, str]:
    try:
        kube = ReadStack(profile).kube
        return {
            "cluster_uid": kube.cluster_uid(),
            "authority": kube.authority(),
            "version": kube.version(),
            "actor": kube.whoami(kube.apiservers[0]).user,
        }
    except ProbeError as problem:
        return {"cluster_uid": f"unknown: {problem.message}"}


def revisions(paths: Paths) -> dict[str, str]:
    """Return the Git revision that each tree is at; a tree outside Git is left out."""
    trees = {"infra": paths.infra, "talos": paths.talos, "gitops": paths.gitops}
    found = {name: _revision(path) for name, path in trees.items() if path is not None and path.is_dir()}
    return {name: revision for name, revision in found.items() if revision}


def _revision(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        done = run_tool(command, 10.0, "git rev-parse")
    except ProbeError:
        return ""
    return "" if done.code else done.text.strip()
