"""SEC-28: credentials in home folders, merged ones, ones that are left behind, in a cache, in a script."""

from collections.abc import Iterator

from assay.proof.plant import Named, Plant
from assay.proof.runbook_edits import runbook_line
from assay.proof.violation import Violation, as_violation


CACHE = "build:\n  script: [make]\n  cache:\n    paths:\n      - .cache/kubeconfig\n"
SCRIPT = "#!/bin/sh\nexport KUBECONFIG=$HOME/.kube/admin\nkubectl get nodes\n"
MADE = "talosctl -n <CP_IP> kubeconfig ./break-glass/kubeconfig --merge=false --force"
HOME = "talosctl --talosconfig ~/secure-infra/talos/talosconfig -n <CP_IP> version"
MERGE = "talosctl -n <CP_IP> kubeconfig ."
WELL = "kubectl get nodes -o wide"
DECRYPTED = "age --decrypt --identity <ESCROW>/admin.agekey ./talosconfig.age > ./talosconfig"
COPIED = "cp <ESCROW>/kubeconfig ./kubeconfig"
SHREDDED = "shred -u ./break-glass/kubeconfig"
UPLOAD = (
    "on: push\njobs:\n  nodes:\n    steps:\n      - uses: actions/upload-artifact@v4\n        with:\n"
    "          path: out/kubeconfig\n"
)


def _added(name: str, what: str, file: str, text: str, line: int) -> Violation:
    """Return a violation that adds a file to the repository; its line is named."""

    @as_violation(name=name, what=what)
    def violation(plant: Plant) -> Iterator[Named]:
        with plant.added("repository", file, text):
            yield Named(f"File {file}:{line}")

    return violation


PLANTED = [
    runbook_line(
        "home_folder", "The specification's own line: a talosconfig in a home folder.", HOME,
        lambda text: text.replace(WELL, HOME, 1),
    ),
    runbook_line(
        "merged", "The specification's own line: a kubeconfig merged into a person's own.",
        MERGE, lambda text: text.replace(WELL, MERGE, 1),
    ),
    runbook_line(
        "left_behind", "A kubeconfig that nobody destroys.", MADE,
        lambda text: text.replace(SHREDDED, "kubectl get nodes"),
    ),
    runbook_line(
        "decrypted", "A talosconfig out of an encrypted file, by no tool of Talos or Kubernetes.", DECRYPTED,
        lambda text: text.replace(WELL, DECRYPTED, 1),
    ),
    runbook_line(
        "copied", "A kubeconfig copied from elsewhere, that nobody destroys.", COPIED,
        lambda text: text.replace(WELL, COPIED, 1),
    ),
    _added("cached", "A kubeconfig in a pipeline's cache.", ".gitlab-ci.yml", CACHE, 5),
    runbook_line(
        "shredded_too_early", "A kubeconfig is destroyed before it is made.", MADE,
        lambda text: text.replace(f"{SHREDDED}\n", "", 1).replace(MADE, f"{SHREDDED}\n{MADE}", 1),
    ),
    _added("uploaded", "A kubeconfig that a step uploads.", ".github/workflows/nodes.yml", UPLOAD, 7),
    _added("script", "A script that takes a kubeconfig from a home folder.", "scripts/nodes.sh", SCRIPT, 2),
]  # fmt: skip
