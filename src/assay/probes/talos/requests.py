"""What a run of talosctl asks of the Talos API, by its words: method and effect."""

from __future__ import annotations

from assay.effect import Effect
from assay.probes.guard import Request


MACHINE = "machine.MachineService"
# First words -> method. What is not here counts as a write.
READS = {
    ("version",): f"{MACHINE}/Version",
    ("read",): f"{MACHINE}/Read",
    ("netstat",): f"{MACHINE}/Netstat",
    ("etcd", "members"): f"{MACHINE}/EtcdMemberList",
    ("etcd", "status"): f"{MACHINE}/EtcdStatus",
    ("etcd", "alarm", "list"): f"{MACHINE}/EtcdAlarmList",
    ("etcd", "snapshot"): f"{MACHINE}/EtcdSnapshot",
}
WRITES = {
    "patch": f"{MACHINE}/ApplyConfiguration",
    "apply-config": f"{MACHINE}/ApplyConfiguration",
    "restart": f"{MACHINE}/Restart",
    "service": f"{MACHINE}/ServiceRestart",
    "config": f"{MACHINE}/GenerateClientConfiguration",
}
# Nothing is called so: a call on it changes nothing even where it is let through.
NOBODY = "assay-no-such-"


def talos_request(words: tuple[str, ...]) -> Request:
    """Return what `talosctl words` asks; a change of something that does not exist is a dry run."""
    if words[0] == "get":
        return Request("talos", "get", f"cosi.resource.State/{words[1]}")
    for first, method in READS.items():
        if words[: len(first)] == first:
            return Request("talos", " ".join(first), method)
    tried = "--dry-run" in words or (len(words) > 1 and words[1].startswith(NOBODY))
    method = WRITES.get(words[0], MACHINE)
    return Request("talos", words[0], method, Effect.DRY_RUN if tried else Effect.WRITES)
