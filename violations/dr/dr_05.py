"""DR-05: the specification's three wrong commands, as it has them, and their cousins."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.runbook_edits import runbook_line
from assay.proof.violation import violation


CONFIG = "talosctl --talosconfig ./talosconfig"
COMMANDS = (
    (
        "etcd_health",
        "A command that does not exist: talosctl prints its help and exits 0.",
        f"{CONFIG} etcd health",
    ),
    (
        "service_restart",
        "The words of a command in the wrong order.",
        f"{CONFIG} service restart kube-apiserver --nodes <CP_IP>",
    ),
    (
        "etcd_restore",
        "A command that does not exist, with an unknown flag.",
        "talosctl etcd restore --snapshot <FILE> --nodes <CP_IP>",
    ),
    (
        "no_talos_service",
        "A correct command for a Talos service, applied to a static pod, which is not one.",
        "talosctl -n <CP_IP> service kube-apiserver restart",
    ),
    ("unknown_flag", "A flag that kubectl does not have.", "kubectl get nodes --show-health"),
    (
        "missing_argument",
        "A snapshot command without the file to write to.",
        "talosctl -n <CP_IP> etcd snapshot",
    ),
    (
        "reset_without_node",
        "A reset without a node: it would reset whatever nodes the context names.",
        "talosctl reset --graceful=false",
    ),
    ("other_tool", "A command of a tool for which no binary is pinned.", "argocd app sync <APP>"),
)


for name, what, command in COMMANDS:

    @violation(name=name, what=what)
    def _command(plant: Plant, line: str = command) -> Iterator[Named]:
        """Add one fenced command to a copy of the runbook."""
        yield from runbook_line(plant, line, lambda text: f"{text}\n```bash\n{line}\n```\n")
