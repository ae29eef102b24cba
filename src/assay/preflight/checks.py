"""What is tried before a run: each credential, address, clock and tool. Reads only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import fields
from functools import partial
from urllib.parse import urlsplit

from assay.config.profile import Profile
from assay.errors import AssayError, ProbeError
from assay.formats.parsing import WRONG
from assay.formats.tools import run_tool
from assay.preflight.check import Check
from assay.preflight.needs import ATTRIBUTES, lacking, value_at
from assay.preflight.rights import rights_asks
from assay.probes.net.tls import probe_port
from assay.rights.needed import NeededRight
from assay.stack import ReadStack


AT_ONCE = 16
DEADLINE_S = 50.0
MAX_SKEW_S = 5.0
TOOL_TIMEOUT_S = 15.0
# How each tool is asked for its version.
VERSION_WORDS: Mapping[str, tuple[str, ...]] = {
    "talosctl": ("version", "--client", "--short"),
    "kubectl": ("version", "--client"),
    **dict.fromkeys(("cosign", "etcdutl", "gitleaks", "openssl", "rclone"), ("version",)),
}


Ask = Callable[[], Iterable[Check]]


def run_checks(
    profile: Profile, needed: Sequence[NeededRight] = (), deadline_s: float = DEADLINE_S
) -> list[Check]:
    """Return everything that was tried, all at once; what does not answer in time is a failed check.

    Args:
        profile: what is tried.
        needed: the rights that its credentials must have.
        deadline_s: seconds for all of it.
    """
    stack = ReadStack(profile)
    asks = dict([*_asks(stack), *rights_asks(stack, needed)])
    pool = ThreadPoolExecutor(AT_ONCE)
    running: dict[Future[list[Check]], tuple[str, str, str]] = {
        pool.submit(guarded, *who, ask): who for who, ask in asks.items()
    }
    done, late = wait(running, timeout=deadline_s)
    pool.shutdown(wait=False, cancel_futures=True)
    found = [check for one in done for check in one.result()]
    found += [
        Check(*running[one], False, f"no answer within {deadline_s:.0f} s", "is it reachable from here?")
        for one in late
    ]
    return sorted(found, key=lambda check: (check.ok, check.kind, check.subject))


def guarded(kind: str, subject: str, system: str, ask: Ask) -> list[Check]:
    """Return what a question came to; one that raises is a failed check."""
    try:
        return list(ask())
    except AssayError as problem:
        return [Check(kind, subject, system, False, problem.message, problem.remedy)]
    except (OSError, *WRONG) as problem:
        said = f"unexpected answer ({type(problem).__name__})"
        return [Check(kind, subject, system, False, said, "ask again; does something else answer there?")]


def _asks(stack: ReadStack) -> Iterator[tuple[tuple[str, str, str], Ask]]:
    """Yield ((kind, subject, system), question) for everything that the profile names."""
    profile = stack.profile
    yield from _credentials(stack)
    for subject, system, host, port in _addresses(profile):
        yield ("address", subject, system), partial(_knocked, subject, system, host, port)
    tools = {
        one.name: getattr(profile.tools, one.name) for one in fields(profile.tools) if one.name != "more"
    }
    for name, path in {**tools, **profile.tools.more}.items():
        if path is not None:
            yield ("tool", name, ""), partial(_tool, name, str(path), profile)


def _credentials(stack: ReadStack) -> Iterator[tuple[tuple[str, str, str], Ask]]:
    profile = stack.profile
    if profile.kube.kubeconfig is not None:
        yield ("credential", "kube.kubeconfig", "kube"), lambda: _kube(stack)
        yield ("clock", "apiservers", "kube"), lambda: _clocks(stack)
    tries: tuple[tuple[str, str, Callable[[], object]], ...] = (
        ("talos.config", "talos", lambda: _talos(stack)),
        ("etcd.endpoints", "etcd", lambda: stack.etcd.members(profile.etcd.endpoints[0])),
        ("vault.token", "vault", lambda: stack.vault.audit_devices()),
        ("s3.reader_key", "s3", lambda: [stack.s3.lock(one) for one in stack.s3.buckets.values()]),
        ("sql.password", "sql", lambda: stack.sql.archiver()),
        ("sops.age_key", "sops", lambda: _sops(stack)),
        ("api.url", "http", lambda: stack.http.get(next(iter(profile.api.paths), "/"))),
    )
    for key, system, ask in tries:
        if value_at(profile, key) and not lacking(profile, ATTRIBUTES[system]):
            yield ("credential", key, system), partial(_tried, key, system, ask)


def _tried(key: str, system: str, ask: Callable[[], object]) -> list[Check]:
    ask()
    return [Check("credential", key, system, True, "accepted")]


def _kube(stack: ReadStack) -> Iterator[Check]:
    kube = stack.kube
    if not stack.profile.cluster_uid:
        says = f"not set; this cluster's is {kube.cluster_uid()}"
        yield Check(
            "key", "stack.cluster_uid", "kube", False, says, "set it: another cluster is then refused"
        )
    kube.check_cluster()
    for server in kube.apiservers:
        who = kube.whoami(server)
        says = (
            f"{who.user} in {', '.join(who.groups) or 'no group'}"
            if who.status == 201
            else f"HTTP {who.status}"
        )
        yield Check(
            "credential", f"kubeconfig at {server}", "kube", who.status == 201, says, "renew the credential"
        )


def _clocks(stack: ReadStack) -> Iterator[Check]:
    for server in stack.kube.apiservers:
        skew = (stack.kube.clock(server) - dt.datetime.now(dt.UTC)).total_seconds()
        says = f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine"
        yield Check("clock", server, "kube", abs(skew) <= MAX_SKEW_S, says, "set both clocks by NTP")


def _talos(stack: ReadStack) -> list[str]:
    return [str(stack.talos.version(node)) for node in stack.talos.controlplanes]


def _sops(stack: ReadStack) -> None:
    encrypted = [file for file in stack.sops.files if any(file.about)]
    for file in encrypted[:1]:
        if why := stack.sops.opening_fault(file):
            raise ProbeError(f"{file.where}: {why}", "SEC-21 says more")
    for problem in stack.sops.gaps.unread.values():
        raise problem


def _addresses(profile: Profile) -> Iterator[tuple[str, str, str, int]]:
    """Yield (subject, system, host, port) of every address that the profile names."""
    urls = [("kube", url) for url in profile.kube.apiservers]
    urls += [("etcd", url) for url in profile.etcd.endpoints]
    urls += [("vault", url) for url in profile.vault.addresses]
    urls += [("s3", profile.s3.endpoint), ("http", profile.api.url), ("", profile.oidc.issuer)]
    for system, url in urls:
        split = urlsplit(url)
        if split.hostname:
            yield url, system, split.hostname, split.port or (443 if split.scheme == "https" else 80)
    if profile.sql.host:
        yield f"{profile.sql.host}:{profile.sql.port}", "sql", profile.sql.host, int(profile.sql.port)
    for endpoint in profile.talos.endpoints:
        yield f"{endpoint}:50000", "talos", endpoint, 50000


def _knocked(subject: str, system: str, host: str, port: int) -> Iterator[Check]:
    state = probe_port(host, port).state
    yield Check("address", subject, system, state == "open", state, "is a firewall or a VPN in between?")


def _tool(name: str, path: str, profile: Profile) -> Iterator[Check]:
    done = run_tool([path, *VERSION_WORDS.get(name, ("--version",))], TOOL_TIMEOUT_S, name)
    if done.code != 0 and name in profile.tools.more:
        done = run_tool([path, "version"], TOOL_TIMEOUT_S, name)
    lines = (done.text.strip() or done.error_text.strip()).splitlines()
    says = next((line.strip() for line in lines if any(sign.isdigit() for sign in line)), f"exit {done.code}")
    pinned = profile.talos.version if name == "talosctl" else ""
    fits = done.code == 0 and pinned.rpartition(".")[0] in done.text
    yield Check("tool", name, "", fits, says, f"use the {name} of {pinned or 'the platform'}")
