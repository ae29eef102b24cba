"""DR-05: the specification's three wrong commands, as it has them, and their cousins."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from assay.proof.plant import Named, Plant
from assay.proof.runbook_edits import runbook_line


def _command(name: str, what: str, line: str) -> Callable[[Plant], AbstractContextManager[Named]]:
    """Return a violation that adds one fenced command to a copy of the runbook."""
    return runbook_line(name, what, line, lambda text: f"{text}\n```bash\n{line}\n```\n")


CONFIG = "talosctl --talosconfig ./talosconfig"
PLANTED = [
    _command("etcd_health", "No such command: it prints help and exits 0.", f"{CONFIG} etcd health"),
    _command(
        "service_restart",
        "Words in the wrong order.",
        f"{CONFIG} service restart kube-apiserver --nodes <CP_IP>",
    ),
    _command(
        "etcd_restore",
        "No such command, unknown flag.",
        "talosctl etcd restore --snapshot <FILE> --nodes <CP_IP>",
    ),
    _command(
        "no_talos_service",
        "Right order, but a static pod is no service.",
        "talosctl -n <CP_IP> service kube-apiserver restart",
    ),
    _command("unknown_flag", "A flag that kubectl does not have.", "kubectl get nodes --show-health"),
    _command("missing_argument", "A snapshot that goes nowhere.", "talosctl -n <CP_IP> etcd snapshot"),
    _command(
        "reset_without_node",
        "A reset of whatever nodes the context names.",
        "talosctl reset --graceful=false",
    ),
    _command("other_tool", "A tool that no pinned binary vouches for.", "argocd app sync <APP>"),
]
