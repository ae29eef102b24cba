"""Who and what a run's evidence is about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from assay.catalogue import Catalogue, policies_digest
from assay.config.paths import Paths
from assay.config.profile import Profile
from assay.config.trees import source_trees
from assay.errors import ProbeError
from assay.formats.tools import run_tool
from assay.model import Override, Tier
from assay.run.entries import Opening
from assay.run.gate import Selection
from assay.run.options import utc_now
from assay.run.past import Join
from assay.stack import ReadStack


GIT_TIMEOUT_S = 60.0
CHANGED = "with changes"
UNKNOWN = "outside Git"


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
        "suite": f"assay {version('assay')}",
        "revisions": revisions(profile.paths),
    }
    if asked:
        facts |= _running(profile)
    return facts


def opening_of(
    catalogue: Catalogue, profile: Profile, selection: Selection, join: Join | None = None
) -> Opening:
    """Return the opening record of a run.

    Args:
        catalogue: as it is now.
        profile: of the stack.
        selection: what the run is asked to judge.
        join: the earlier run that it completes, if any.
    """
    return Opening(
        started=utc_now().isoformat(timespec="seconds"),
        pairs=_plain(selection.pairs),
        says=selection.says,
        left_out=tuple(
            (control, str(tier), str(effect), why)
            for (control, tier), (effect, why) in sorted(selection.left_out.items())
        ),
        parts=tuple(
            (control, str(tier), str(effect)) for (control, tier), effect in sorted(selection.parts.items())
        ),
        scope=tuple(sorted(selection.scope)),
        not_applicable=tuple(sorted(selection.not_applicable.items())),
        stand_ins=tuple(
            (one.part, one.reason, ", ".join((*one.systems, *one.controls))) for one in profile.standins
        ),
        overrides=tuple((control, _words(one)) for control, one in sorted(profile.overrides.items())),
        policies=policies_digest(catalogue),
        settings=settings_digest(profile),
        again=_plain(join.again) if join else (),
        joins=join.past.run if join else "",
        joins_head=join.past.chain.head if join else "",
        joins_says=selection.joins,
    )


def _plain(pairs: Iterable[tuple[str, Tier]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((control, str(tier)) for control, tier in pairs))


def _words(override: Override) -> str:
    numbers = [f"{key} = {value:g}" for key, value in override.numbers.items()]
    return "; ".join(numbers + [f"{key} = {', '.join(value)}" for key, value in override.lists.items()])


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
    """Return what each source is at: a tree by its Git revision, files outside Git by their SHA-256.

    A tree that differs from its revision, or that is not in Git, says so and is at nothing that can be found
    again.
    """
    several = (*source_trees(paths.infra), *source_trees(paths.gitops))
    trees = {tree.label: tree.path for tree in several} | ({"talos": paths.talos} if paths.talos else {})
    found = {name: _revision(path) for name, path in trees.items() if path.is_dir()}
    given = (*paths.plan, *paths.state, *([paths.machineconfigs] if paths.machineconfigs else []))
    return found | {path.name: _content(path) for path in given if path.exists()}


def settings_digest(profile: Profile) -> str:
    """Return the SHA-256 over what a profile says that a judgement may rest on.

    Scope, waivers, what is not applicable and what is allowed decide what is judged and how it counts, not
    what comes of it.
    """
    judged = replace(profile, controls=None, waivers=(), not_applicable={}, allow=None, digest="")
    return hashlib.sha256(repr(judged).encode()).hexdigest()


def _revision(folder: Path) -> str:
    git = ["git", "-C", str(folder)]
    try:
        head = run_tool([*git, "rev-parse", "HEAD"], GIT_TIMEOUT_S, "git rev-parse")
        changed = run_tool([*git, "status", "--porcelain", "."], GIT_TIMEOUT_S, "git status")
    except ProbeError:
        return UNKNOWN
    if head.code or changed.code:
        return UNKNOWN
    return head.text.strip() + (f" {CHANGED}" if changed.text.strip() else "")


def _content(path: Path) -> str:
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    whole = hashlib.sha256()
    try:
        for file in files:
            with file.open("rb") as content:
                whole.update(file.name.encode() + hashlib.file_digest(content, "sha256").digest())
    except OSError:
        return UNKNOWN
    return f"SHA-256 {whole.hexdigest()}"
