"""Vault's ACL policies and Kubernetes roles as they are written: HCL or JSON, parsed, never searched as text.

The same readers serve the files in Git and the texts that a running Vault returns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import ProbeError
from assay.formats.hcl import sections


CAPABILITIES = {
    "create", "read", "update", "patch", "delete", "list", "sudo", "deny", "subscribe", "recover", "root",
}  # fmt: skip
SHORTHAND = {
    "deny": ("deny",),
    "read": ("list", "read"),
    "write": ("create", "delete", "list", "read", "update"),
    "sudo": ("create", "delete", "list", "read", "sudo", "update"),
}
LARGEST = 256 * 1024
# What a token may ask of itself, and the place that only it can see.
OF_ITSELF = re.compile(r"auth/token/\w+-self|cubbyhole/.*")
# The accessor of an auth method in a templated path: Vault makes it up, so no source can know it.
ALIAS = re.compile(r"(?<=identity\.entity\.aliases\.)[^.{}]+")
DURATION = re.compile(r"(\d+)([smhd])")


@dataclass(frozen=True, slots=True)
class PathRule:
    """One path of a policy and what may be done there.

    A path may end in `*` (any end) and hold `+` (any one part).
    """

    path: str
    capabilities: tuple[str, ...]

    @property
    def wild(self) -> bool:
        """Return True if the path stands for more than one, or for one that the caller's identity decides."""
        return self.path.endswith("*") or "+" in self.path.split("/") or "{{" in self.path

    @property
    def grants(self) -> bool:
        """Return True if the rule gives anything."""
        return bool(set(self.capabilities) - {"deny"})

    @property
    def comparable(self) -> PathRule:
        """Return the rule without what only the running Vault knows."""
        return PathRule(ALIAS.sub("*", self.path), self.capabilities)

    def __str__(self) -> str:
        """Return `path: capabilities`."""
        return f"{self.path}: {', '.join(self.capabilities)}"


@dataclass(frozen=True, slots=True)
class VaultPolicy:
    """An ACL policy: its name and its rules, in the order of their paths."""

    name: str
    rules: tuple[PathRule, ...]

    @property
    def ref(self) -> str:
        """Return `VaultPolicy name`."""
        return f"VaultPolicy {self.name}"

    @property
    def comparable(self) -> object:
        """Return what is the same where both give the same."""
        return [rule.comparable for rule in self.rules]


@dataclass(frozen=True, slots=True)
class VaultRole:
    """A role of the Kubernetes auth method: who may log in, for how long (seconds), with which policies.

    `selector` is the namespace label selector, which admits namespaces that nobody named; `mount` is the
    path of the auth method.
    """

    name: str
    accounts: tuple[str, ...]
    namespaces: tuple[str, ...]
    audience: str
    policies: tuple[str, ...]
    ttl: int
    max_ttl: int
    selector: str = ""
    kind: str = "default"
    period: int = 0
    mount: str = "kubernetes"

    @property
    def ref(self) -> str:
        """Return `VaultRole mount/name`."""
        return f"VaultRole {self.mount}/{self.name}"

    def owns(self, path: str) -> bool:
        """Return whether a path bears the name of role, account or namespace, or is the token's own."""
        names = {self.name, *self.accounts, *self.namespaces} - {"default"}
        parts = path.split("/")
        return bool(OF_ITSELF.fullmatch(path)) or any(_bears(part, name) for part in parts for name in names)

    @property
    def comparable(self) -> object:
        """Return what is the same where both admit and give the same."""
        return self

    def open_ends(self) -> list[str]:
        """Return what the role leaves open: wildcards, nothing named, no audience, no end."""
        wrong = []
        for what, names in (("service accounts", self.accounts), ("namespaces", self.namespaces)):
            if not names and not (what == "namespaces" and self.selector):
                wrong.append(f"names no {what}")
            elif loose := [name for name in names if any(mark in name for mark in "*?[")]:
                wrong.append(f"{what}: {', '.join(loose)}")
        wrong += [f"namespaces by label: {self.selector}"] if self.selector else []
        wrong += [] if self.audience else ["no audience"]
        wrong += ["policy root"] if "root" in self.policies else []
        wrong += ["a periodic token never ends"] if self.period else []
        return wrong


def _bears(part: str, name: str) -> bool:
    return bool(name) and re.search(rf"(^|[-_.]){re.escape(name)}([-_.]|$)", part) is not None


def policy(name: str, written: str) -> VaultPolicy:
    """Return the policy that a text (HCL or JSON) means.

    Raises:
        ProbeError: it is neither, or holds something that is no policy: half a policy is not judged.
    """
    if len(written) > LARGEST:
        raise ProbeError(f"policy {name}: {len(written)} characters", "policies are short: is this one?")
    found = _json(name, written) if written.lstrip().startswith("{") else _hcl(name, written)
    paths = [rule.path for rule in found]
    if twice := sorted({path for path in paths if paths.count(path) > 1}):
        raise ProbeError(f"policy {name}: {', '.join(twice)}: said twice", "say it once")
    return VaultPolicy(name, tuple(sorted(found, key=lambda rule: rule.path)))


def _hcl(name: str, written: str) -> list[PathRule]:
    found = []
    for kind, labels, values in sections(written, f"policy {name}"):
        if kind == "path" and len(labels) == 1:
            found.append(_rule(name, labels[0], values))
        elif kind or set(values) - {"name"}:
            raise ProbeError(f"policy {name}: {kind or ', '.join(values)}: not known here", "fix the policy")
    return found


def _json(name: str, written: str) -> list[PathRule]:
    try:
        document = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise ProbeError(f"policy {name}: is not JSON", "fix the policy") from error
    if not isinstance(document, dict) or set(document) - {"path", "name"}:
        raise ProbeError(f"policy {name}: is no policy", "it needs `path`, and nothing but `name` beside it")
    return [_rule(name, path, values) for path, values in _json_paths(name, document.get("path", {}))]


def _json_paths(name: str, paths: object) -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for block in paths if isinstance(paths, list) else [paths]:
        if not isinstance(block, dict):
            raise ProbeError(f"policy {name}: path is not an object", "fix the policy")
        flat += block.items()
    return [
        (path, one) for path, values in flat for one in (values if isinstance(values, list) else [values])
    ]


def _rule(name: str, path: str, values: object) -> PathRule:
    if not isinstance(values, Mapping):
        raise ProbeError(f"policy {name}: {path}: no capabilities", "fix the policy")
    given, short = values.get("capabilities", []), values.get("policy")
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise ProbeError(f"policy {name}: {path}: capabilities are not a list of words", "fix the policy")
    if short is not None and short not in SHORTHAND:
        raise ProbeError(f"policy {name}: {path}: policy is no known word", "use capabilities")
    said = {*given, *(SHORTHAND[short] if isinstance(short, str) else ())}
    if strange := sorted(said - CAPABILITIES):
        raise ProbeError(f"policy {name}: {path}: capability {strange[0]!r}", "fix the policy")
    return PathRule(path.removeprefix("/"), ("deny",) if "deny" in said else tuple(sorted(said)))


def vault_role(name: str, said: Mapping[str, Any], mount: str = "kubernetes") -> VaultRole:
    """Return the role of the auth method at `mount` that the API, or a file with its fields, describes.

    Raises:
        ProbeError: a field has another shape.
    """
    return VaultRole(
        name,
        _words(name, said, "bound_service_account_names"),
        _words(name, said, "bound_service_account_namespaces"),
        _word(name, said, "audience"),
        _words(name, said, "token_policies") or _words(name, said, "policies"),
        _seconds(name, said, "token_ttl") or _seconds(name, said, "ttl"),
        _seconds(name, said, "token_max_ttl") or _seconds(name, said, "max_ttl"),
        _word(name, said, "bound_service_account_namespace_selector"),
        _word(name, said, "token_type") or "default",
        _seconds(name, said, "token_period") or _seconds(name, said, "period"),
        mount.strip("/"),
    )


def _words(name: str, said: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = said.get(key) or []
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ProbeError(f"role {name}: {key} is not a list of names", "fix the role")
    return tuple(sorted(one.strip() for one in listed))


def _word(name: str, said: Mapping[str, Any], key: str) -> str:
    value = said.get(key) or ""
    if not isinstance(value, str):
        raise ProbeError(f"role {name}: {key} is not text", "fix the role")
    return value


def _seconds(name: str, said: Mapping[str, Any], key: str) -> int:
    value = said.get(key) or 0
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if isinstance(value, str) and re.fullmatch(rf"({DURATION.pattern})+", value):
        return sum(int(number) * units[unit] for number, unit in DURATION.findall(value))
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ProbeError(f"role {name}: {key} is no time", "write seconds, or 15m")
    return value


class VaultFiles:
    """Policies and roles as Git declares them: `policies/*.hcl|json` and `roles/*.json` of one folder.

    Roles of further auth methods lie in `roles/MOUNT/*.json`.
    """

    def __init__(self, folder: Path, mount: str = "kubernetes") -> None:
        """Read nothing yet; `mount` is the path of the auth method that the roles are of."""
        self.folder, self._mount = folder, mount

    def policies(self) -> list[VaultPolicy]:
        """Return the declared policies by name.

        Raises:
            ProbeError: there is none, or one cannot be read.
        """
        files = [f for f in self._files("policies") if f.suffix in (".hcl", ".json")]
        return [policy(file.stem, _text(file)) for file in files]

    def roles(self) -> list[VaultRole]:
        """Return the declared roles by name.

        Raises:
            ProbeError: there is none, or one cannot be read.
        """
        files = [file for file in self._files("roles") if file.suffix == ".json"]
        return [_declared(file, self._mount_of(file)) for file in files]

    def _mount_of(self, file: Path) -> str:
        inner = file.parent.relative_to(self.folder / "roles").as_posix()
        return self._mount if inner == "." else inner

    def _files(self, kind: str) -> list[Path]:
        found = sorted(f for f in (self.folder / kind).rglob("*") if f.is_file())
        if not found:
            raise ProbeError(
                f"{self.folder.name}/{kind} holds nothing", "declare Vault's policies and roles as files"
            )
        return found


def _declared(file: Path, mount: str) -> VaultRole:
    try:
        said = json.loads(_text(file))
    except (ValueError, RecursionError) as error:
        raise ProbeError(f"{file.name}: is not JSON", "fix the file") from error
    if not isinstance(said, dict):
        raise ProbeError(f"{file.name}: is not a JSON object", "fix the file")
    return vault_role(file.stem, said, mount)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProbeError(f"{file.name}: cannot be read: {type(error).__name__}", "check the file") from error
