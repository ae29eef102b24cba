"""What a checkout of the platform's repository says: where its sources lie, who may decrypt them."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from assay.config.profile import Tools
from assay.errors import ProbeError
from assay.formats.tools import run_tool
from assay.preflight.profile_text import Findings


SKIPPED = frozenset({".git", ".terraform", "node_modules", ".venv", "modules", "charts", "testdata"})
MAX_FILES = 200_000
MAX_BYTES = 1_000_000
OIDC = re.compile(r"oidc-(issuer-url|client-id)\W+([^\s\"']+)")
AGE = re.compile(r"\bage1[0-9a-z]{58}\b")
GIT_TIMEOUT_S = 10.0
DOCUMENTS = {
    "runbook": re.compile(r"runbook", re.IGNORECASE),
    "backups_doc": re.compile(r"backup", re.IGNORECASE),
}


def from_checkout(folder: Path, found: Findings) -> None:
    """Note where Terraform, manifests, machine configurations, runbook and SOPS rules lie below `folder`.

    A folder below one that was found is part of it. What is not there is noted as missed.
    """
    files = list(_files(folder))
    _roots(folder, files, found)
    for key, name in DOCUMENTS.items():
        pages = [path for path in files if path.suffix == ".md" and name.search(path.stem)]
        if pages:
            found.put(f"paths.{key}", str(min(pages, key=_depth)), "its name")
    _recipients(files, found)
    found.put("paths.repositories", _git(folder, "rev-parse", "--show-toplevel").strip(), "git")
    _issuer(files, found)
    for key in ("infra", "gitops", "talos", "runbook", "backups_doc", "repositories"):
        if f"paths.{key}" not in found.keys:
            found.missed.append(f"paths.{key}: nothing of the kind below {folder.name}")


def from_path(found: Findings) -> None:
    """Note the tools that are on PATH; the absolute path is what a profile pins."""
    for one in fields(Tools):
        if place := shutil.which(one.name):
            found.put(f"tools.{one.name}", place, "PATH")
    if place := shutil.which("sops"):
        found.put("sops.binary", place, "PATH")


def _files(folder: Path) -> Iterator[Path]:
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
    found.put("paths.talos", str(machines[0]) if machines else "", "files that configure machines")
    rules = [path for path in files if path.name == ".sops.yaml"]
    if rules:
        found.put("sops.config", str(min(rules, key=_depth)), "its name")


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


def _recipients(files: list[Path], found: Findings) -> None:
    rules = [path for path in files if path.name == ".sops.yaml"]
    known = sorted(
        {key for path in rules for key in AGE.findall(path.read_text(encoding="utf-8", errors="replace"))}
    )
    found.put("sops.recipients", known, ".sops.yaml", proposed=True)


def _git(folder: Path, *words: str) -> str:
    """Return what git prints; empty where there is no git, or no repository."""
    try:
        done = run_tool(["git", "-C", folder, *words], GIT_TIMEOUT_S, f"git {words[0]}")
    except ProbeError:
        return ""
    return done.text if done.code == 0 else ""


def _depth(path: Path) -> tuple[int, str]:
    return len(path.parts), str(path)
