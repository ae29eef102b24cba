"""A platform that the suite does not know is judged: `assay init` writes its profile, a person adds the rest.

The platform is the lab with other names. What init found stays as it wrote it, what it proposes is
confirmed, and only keys that it left open come from the lab. Then the tiers static and live are judged, and
nothing of policies/ and acceptance/ may differ from what is committed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import build, cluster, profile
from lab.layout import PROJECT, SOURCES, STATE


FOUND, CONFIRMED, DECIDED, ADDED = "found by init", "proposed by init", "changed by hand", "added by hand"
JUDGED = ("policies", "acceptance")
PROPOSAL = "to be confirmed by you"
# What init cannot know although it writes it: only in a lab are violations planted.
BY_HAND = frozenset({"stack.kind"})
TEXTS = frozenset(
    {
        "platform.pools.taints",
        "s3.buckets",
        "s3.writer_keys",
        "talos.controlplanes",
        "talos.workers",
        "transactions.order.confirms",
    }
)
Tree = dict[str, Any]


class NotProvenError(RuntimeError):
    """A step of the proof failed; the message says which."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A profile as init wrote it and a person completed it.

    Attributes:
        tree: what is in it.
        origin: key -> who it is from: FOUND, CONFIRMED, DECIDED or ADDED.
    """

    tree: Tree
    origin: Mapping[str, str]


def confirmed(text: str) -> str:
    """Return what init wrote with its proposals taken, as an owner does who agrees with each of them."""
    lines, whole = [], False
    for line in text.splitlines():
        if line.startswith("["):
            whole = line.endswith(PROPOSAL)
        ours = line.startswith("# ") and (PROPOSAL in line or (whole and line.startswith('# "')))
        lines.append(line.removeprefix("# ") if ours else line)
    return "\n".join(lines) + "\n"


def leaves(tree: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key of a profile with its value; the entries of a list go by name, or number."""
    for key, value in tree.items():
        path = f"{at}.{key}" if at else key
        if isinstance(value, dict) and path not in TEXTS:
            yield from leaves(value, path)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for number, entry in enumerate(value, 1):
                yield from leaves(entry, f"{path}.{entry.get('name', number)}")
        else:
            yield path, value


def filled(written: str, known: Tree) -> Filled:
    """Return the profile that init wrote, completed.

    Args:
        written: the file's text.
        known: the whole profile of the lab, as a person knows it who runs it.
    """
    found = {key for key, value in leaves(tomllib.loads(written)) if value}
    agreed = tomllib.loads(confirmed(written))
    tree = _joined(agreed, known)
    ours = dict(leaves(agreed))
    origin = {
        key: DECIDED if key in BY_HAND else FOUND if key in found else CONFIRMED if key in ours else ADDED
        for key, _ in leaves(tree)
    }
    return Filled(tree, origin)


def _joined(ours: Tree, known: Tree, at: str = "") -> Tree:
    both = dict(ours)
    for key, value in known.items():
        path = f"{at}.{key}" if at else key
        if key not in ours or path in BY_HAND:
            both[key] = value
        elif isinstance(value, dict) and path not in TEXTS:
            both[key] = _joined(ours[key], value, path)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            both[key] = _entries(ours[key], value)
    return both


def _entries(ours: list[Tree], known: list[Tree]) -> list[Tree]:
    """Return the entries of both lists, those of one name as one."""
    named = {entry.get("name", ""): entry for entry in known}
    first = [_joined(entry, named.pop(entry.get("name", "-"), {})) for entry in ours]
    return first + [entry for entry in known if entry.get("name", "") in named]


def prove(say: Callable[[str], None]) -> int:
    """Let init write the running lab's profile, complete it, judge by it; return the exit code of the check.

    Args:
        say: receives one line for each step, and the figures.

    Raises:
        NotProvenError: init failed, or policies/ or acceptance/ are not as committed.
    """
    reports = Path(os.environ.get("ASSAY_REPORTS", PROJECT / "reports" / "other"))
    reports.mkdir(parents=True, exist_ok=True)
    _unchanged()
    written = reports / "init.toml"
    written.unlink(missing_ok=True)
    say(_assay("init", str(written), *_given()))
    done = filled(written.read_text(), tomllib.loads(profile.PATH.read_text()))
    file = STATE / "onboarded.toml"
    file.write_text("".join(profile.table(name, body) for name, body in done.tree.items()))
    (reports / "profiles.md").write_text("\n".join(_side_by_side(done)) + "\n")
    say(_counted(done))
    argv = [sys.executable, "-m", "assay.cli", "check", "--stack", str(file)]
    code = subprocess.run(
        [*argv, "--tier", "static", "--tier", "live"], env=_environment(reports), cwd=PROJECT, check=False
    ).returncode
    _unchanged()
    return code


def _given() -> tuple[str, ...]:
    """Return what the person has who types `assay init`."""
    kubeconfig, talosconfig = cluster.judges_kubeconfig(), cluster.TALOSCONFIG
    return f"--kubeconfig={kubeconfig}", f"--talosconfig={talosconfig}", f"--checkout={SOURCES}"


def _environment(reports: Path) -> dict[str, str]:
    tools = f"{build.BINARIES}:{os.environ['PATH']}"
    return {**os.environ, "ASSAY_REPORTS": str(reports), "PATH": tools}


def _assay(*words: str) -> str:
    argv = [sys.executable, "-m", "assay.cli", *words]
    env = _environment(PROJECT / "reports" / "other")
    done = subprocess.run(argv, env=env, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotProvenError(f"assay {words[0]}: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


def _unchanged() -> None:
    argv = ["git", "-C", str(PROJECT), "status", "--porcelain", "--", *JUDGED]
    changed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    if changed:
        raise NotProvenError(
            f"{changed.splitlines()[0].strip()}: the proof is worth nothing with edited controls - commit"
        )


def _counted(done: Filled) -> str:
    seen = Counter(done.origin.values())
    parts = ", ".join(f"{seen[kind]} {kind}" for kind in (FOUND, CONFIRMED, DECIDED, ADDED))
    return f"{len(done.origin)} keys: {parts}"


def _side_by_side(done: Filled) -> Iterator[str]:
    """Yield a table: each key with its value here, who it is from, and its value on the reference lab."""
    file = Path("/var/lib/assay-lab/stack.toml")
    reference = dict(leaves(tomllib.loads(file.read_text()))) if file.exists() else {}
    values = dict(leaves(done.tree))
    yield from (_counted(done), "", "| Key | From | Here | Reference lab |", "|---|---|---|---|")
    for key in sorted({*values, *reference}):
        here, there = (_shown(one[key]) if key in one else "-" for one in (values, reference))
        yield f"| {key} | {done.origin.get(key, '-')} | {here} | {there} |"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False).replace("|", "\\|")
    return f"`{text}`" if len(text) <= 120 else f"`{text[:117]}...`"
