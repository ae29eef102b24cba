"""What a checkout of the platform's repository says: where its sources lie, who may decrypt them."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path

from assay.backups.retention import documented
from assay.config.profile import Tools
from assay.errors import ProbeError
from assay.formats.tools import run_tool
from assay.preflight.profile_text import Findings, note_misses
from assay.preflight.sources import admin_ranges, vault_config


SKIPPED = frozenset({".git", ".terraform", "node_modules", ".venv", "modules", "charts", "testdata"})
MAX_FILES = 200_000
MAX_BYTES = 1_000_000
OIDC = re.compile(r"oidc-(issuer-url|client-id)\W+([^\s\"']+)")
AGE = re.compile(r"\bage1[0-9a-z]{58}\b")
GIT_TIMEOUT_S = 60.0
RUNBOOK, BACKUPS = re.compile(r"runbook", re.IGNORECASE), re.compile(r"backup", re.IGNORECASE)
OPERATES = re.compile(r"^\s*(?:\$ )?(?:talosctl|kubectl|vault|etcdctl|etcdutl) ", re.MULTILINE)
ENOUGH = 3  # commands of an operator that make a page a runbook


def from_checkout(folder: Path, found: Findings) -> None:
    """Note where Terraform, manifests, machine configurations, runbook and SOPS rules lie below `folder`.

    A folder below one that was found is part of it. What is not there is noted as missed.
    """
    files = list(checkout_files(folder))
    _roots(folder, files, found)
    _documents([path for path in files if path.suffix == ".md"], found)
    note_misses("allowlist.admin", partial(admin_ranges, found), found)
    note_misses("platform.vault", partial(vault_config, files, found), found)
    _rules(files, found)
    found.put("paths.repositories", _git(folder, "rev-parse", "--show-toplevel").strip(), "git")
    _issuer(files, found)
    for key in ("infra", "gitops", "talos", "runbook", "backups_doc", "repositories"):
        if f"paths.{key}" not in found.keys:
            found.missed.append(f"paths.{key}: nothing of the kind below {folder.name}")


def from_path(found: Findings) -> None:
    """Note the tools that are on PATH; the absolute path is what a profile pins."""
    for one in fields(Tools):
        if one.name != "more" and (place := shutil.which(one.name)):
            found.put(f"tools.{one.name}", place, "PATH")
    if place := shutil.which("sops"):
        found.put("sops.binary", place, "PATH")


def checkout_files(folder: Path) -> Iterator[Path]:
    """Yield the files that Git knows or would add, else all of them; modules and vendored charts left out."""
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = listed.split("\0") if listed else [str(one.relative_to(folder)) for one in folder.rglob("*")]
    for name in sorted(names)[:MAX_FILES]:
        path = folder / name
        if name and not SKIPPED & set(path.relative_to(folder).parts[:-1]) and path.is_file():
            yield path


def _roots(folder: Path, files: list[Path], found: Findings) -> None:
    terraform = _highest({path.parent for path in files if path.suffix == ".tf"})
    found.put("paths.infra", _one_or_all(terraform), "folders with .tf files")
    kustomized = [path.parent for path in files if path.name in ("kustomization.yaml", "kustomization.yml")]
    tops = Counter(path.relative_to(folder).parts[0] for path in kustomized if path != folder)
    found.put(
        "paths.gitops", _one_or_all([folder / name for name, _ in tops.most_common(1)]), "kustomizations"
    )
    machines = _highest({path.parent for path in files if _configures_machines(path)})
    shared = os.path.commonpath(machines) if machines else ""
    found.put("paths.talos", shared, "files that configure machines")


def _documents(pages: list[Path], found: Findings) -> None:
    """Note the runbook and the document on backups: by their names, else by what they hold."""
    commands = {
        path: len(OPERATES.findall(path.read_text(encoding="utf-8", errors="replace"))) for path in pages
    }
    most = max(commands, key=lambda path: commands[path], default=None)
    named = [path for path in pages if RUNBOOK.search(path.stem)]
    if named:
        found.put("paths.runbook", str(min(named, key=_depth)), "its name")
    elif most is not None and commands[most] >= ENOUGH:
        found.put("paths.runbook", str(most), f"{commands[most]} commands of an operator")
    tables = [path for path in pages if _tells_retention(path)]
    named = [path for path in pages if BACKUPS.search(path.stem)]
    if tables or named:
        found.put(
            "paths.backups_doc", str(min(tables or named, key=_depth)), "its table" if tables else "its name"
        )


def _tells_retention(page: Path) -> bool:
    try:
        return bool(documented(page))
    except ProbeError:
        return False


def _one_or_all(folders: list[Path]) -> str | list[str]:
    return str(folders[0]) if len(folders) == 1 else [str(one) for one in folders]


def _highest(folders: set[Path]) -> list[Path]:
    """Return the folders that lie below no other of them."""
    return sorted(one for one in folders if not folders & set(one.parents))


def _configures_machines(path: Path) -> bool:
    if path.name in ("talconfig.yaml", "talconfig.yml"):
        return True
    if path.suffix not in (".yaml", ".yml") or path.stat().st_size > MAX_BYTES:
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    return text.startswith(("machine:", "cluster:")) or "\nmachine:\n" in text


def _issuer(files: list[Path], found: Findings) -> None:
    """Note issuer and client of people's identities, as machine configurations give them."""
    for path in files:
        if path.suffix in (".yaml", ".yml") and path.stat().st_size <= MAX_BYTES:
            for name, value in OIDC.findall(path.read_text(encoding="utf-8", errors="replace")):
                key = "oidc.issuer" if name == "issuer-url" else "oidc.client_id"
                found.put(key, value, path.name)


def _rules(files: list[Path], found: Findings) -> None:
    """Note the SOPS rules that name recipients, and propose these; rules without any are not in force."""
    rules = [path for path in files if path.name == ".sops.yaml"]
    known = {path: set(AGE.findall(path.read_text(encoding="utf-8", errors="replace"))) for path in rules}
    found.put("sops.recipients", sorted(set().union(*known.values())), ".sops.yaml", proposed=True)
    if named := [path for path in rules if known[path]]:
        found.put("sops.config", str(min(named, key=_depth)), "its recipients")
    elif rules:
        found.missed.append("sops.config: no .sops.yaml names an age recipient")


def _git(folder: Path, *words: str) -> str:
    """Return what git prints; empty where there is no git, or no repository."""
    try:
        done = run_tool(["git", "-C", folder, *words], GIT_TIMEOUT_S, f"git {words[0]}")
    except ProbeError:
        return ""
    return done.text if done.code == 0 else ""


def _depth(path: Path) -> tuple[int, str]:
    return len(path.parts), str(path)
