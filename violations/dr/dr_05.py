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
)


for name, what, command in COMMANDS:

    @violation(name=name, what=what)
    def _command(plant: Plant, line: str = command) -> Iterator[Named]:
        """Add one fenced command to a copy of the runbook."""
        yield from runbook_line(plant, line, lambda text: f"{text}\n```bash\n{line}\n```\n")


# Where a command may stand, and what may stand before it: `WRONG` is the line.
WRONG = "talosctl -n <CP_IP> etcd health"
PLACES = (
    ("quoted_block", "The command in a block inside a quotation.", "> ```bash\n> WRONG\n> ```"),
    ("indented_block", "The command in an indented block, without a fence.", "Then:\n\n    WRONG"),
    ("console", "The command behind a prompt of root.", "```console\n[root@ops ~]# WRONG\n```"),
    ("no_language", "The command in a block that names no language.", "~~~\nWRONG\n~~~"),
    ("prefixed", "The command behind sudo and a variable.", "```sh\nsudo -E env X=1 WRONG\n```"),
    ("inline", "The command in a sentence.", "- On a control plane run `WRONG` and wait."),
    ("in_a_loop", "The command in a loop.", "```sh\nfor one in $ALL; do WRONG; done\n```"),
    ("substituted", "The command whose output goes into a variable.", '```sh\nSTATE="$(WRONG)"\n```'),
    (
        "after_a_document",
        "The command behind a document that is piped into another command.",
        "```sh\ncat <<EOF | kubectl apply -f -\nkind: it's a Pod\nEOF\nWRONG\n```",
    ),
)


for name, what, place in PLACES:

    @violation(name=name, what=what)
    def _place(plant: Plant, written: str = place.replace("WRONG", WRONG)) -> Iterator[Named]:
        """Add the wrong command to a copy of the runbook, at an unusual place."""
        yield from runbook_line(plant, WRONG, lambda text: f"{text}\n{written}\n")
