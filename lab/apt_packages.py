"""Files of Debian packages and their dependencies, for images: downloaded and unpacked, never installed.

A set of packages resolves to exact versions; each set of versions has its own folder in the cache.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lab.layout import CACHE
from lab.oci import Entry


DEBS = CACHE / "debs"
EMPTY = ("-o", "Dir::State::status=/dev/null", "-o", "APT::Get::List-Cleanup=0", "--no-install-recommends")
LINE = re.compile(r"^'[^']+' (?P<file>\S+) \d+(?: \S*)?$", re.MULTILINE)
MERGED = ("bin", "sbin", "lib", "lib64")
# Documentation, translations and what only an installed Debian uses.
DROPPED = re.compile(
    r"usr/share/(doc|man|info|locale|lintian|bash-completion|bug|perl5?|i18n|debconf|menu|pixmaps|valgrind)/"
    r"|usr/lib/(systemd|tmpfiles\.d|sysusers\.d|valgrind)/|var/lib/dpkg/|var/cache/|lib/systemd/"
    r"|usr/lib/postgresql/\d+/lib/(bitcode/|llvmjit)|usr/lib/x86_64-linux-gnu/gconv/"
    r"|etc/(init\.d|cron\.|logrotate\.d|apt|pam\.d)"
)


class DebianError(RuntimeError):
    """apt or dpkg-deb failed; the message is the end of its output."""


@dataclass(frozen=True, slots=True)
class Deb:
    """One package as apt resolves it."""

    name: str
    version: str


def _run(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DebianError(f"{words[0]}: {done.stderr.strip()[-300:]}; run `apt-get update` and try again")
    return done.stdout


def parse(listed: str) -> list[Deb]:
    """Return the packages that `apt-get --print-uris` lists, sorted by name.

    Raises:
        DebianError: it lists none.
    """
    found = []
    for line in LINE.finditer(listed):
        name, version, _ = unquote(line["file"]).removesuffix(".deb").split("_")
        found.append(Deb(name, version))
    if not found:
        raise DebianError("apt lists no package to fetch; run `apt-get update` and try again")
    return sorted(found, key=lambda deb: deb.name)


def resolve(names: Iterable[str], without: Iterable[str] = ()) -> list[Deb]:
    """Return `names` and their dependencies, as if nothing were installed, except `without`."""
    listed = _run("apt-get", *EMPTY, "--print-uris", "-y", "install", *names)
    left_out = set(without)
    return [deb for deb in parse(listed) if deb.name not in left_out]


def unpacked(names: Iterable[str], without: Iterable[str] = ()) -> Path:
    """Return the folder with the files of `names` and their dependencies, fetched unless cached.

    Raises:
        DebianError: a package does not exist, or cannot be fetched or read.
    """
    debs = resolve(names, without)
    key = hashlib.sha256("\n".join(f"{d.name}={d.version}" for d in debs).encode()).hexdigest()[:20]
    folder = DEBS / key
    if (folder / "complete").exists():
        return folder / "root"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "root").mkdir(parents=True)
    (folder / "files").mkdir()
    own = ("-o", "APT::Sandbox::User=root")
    _run("apt-get", *own, "download", *(f"{d.name}={d.version}" for d in debs), cwd=folder / "files")
    for file in sorted((folder / "files").glob("*.deb")):
        _run("dpkg-deb", "-x", str(file), str(folder / "root"))
    shutil.rmtree(folder / "files")
    (folder / "complete").write_text("".join(f"{d.name} {d.version}\n" for d in debs))
    return folder / "root"


def version(root: Path, name: str) -> str:
    """Return the version of package `name` unpacked in `root`, in a form fit for an image tag."""
    known = dict(line.split() for line in (root.parent / "complete").read_text().splitlines())
    return re.sub(r"[^A-Za-z0-9_.-]", "-", known[name])


def _target(path: str) -> str:
    """Return where a path lies in a merged tree, where /bin, /sbin and /lib are links into /usr."""
    head, _, rest = path.partition("/")
    return f"usr/{path}" if head in MERGED and rest else path


def entries(root: Path) -> list[Entry]:
    """Return the files and links below `root` for an image, with /bin, /sbin, /lib and /lib64 merged."""
    found = {name: Entry(name, link=f"usr/{name}") for name in MERGED}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name in MERGED or DROPPED.match(name):
            continue
        target = _target(name)
        if path.is_symlink():
            found[target] = Entry(target, link=str(path.readlink()))
        elif path.is_file():
            found[target] = Entry(target, path.stat().st_mode & 0o755 | 0o444, path)
    return list(found.values())
