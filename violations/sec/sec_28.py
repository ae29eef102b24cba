"""SEC-28: credentials in home folders, merged ones, ones that are left behind, in a cache, in a script."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.runbook_edits import runbook_line
from assay.proof.violation import violation


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


LINES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("home_folder", "The specification's own command: a talosconfig in a home folder.", HOME, {WELL: HOME}),
    (
        "merged",
        "The specification's own command: a kubeconfig merged into a person's own.",
        MERGE,
        {WELL: MERGE},
    ),
    ("left_behind", "A kubeconfig that is never destroyed.", MADE, {SHREDDED: WELL}),
    (
        "decrypted",
        "A talosconfig decrypted from a file, by a tool that is neither Talos' nor Kubernetes'.",
        DECRYPTED,
        {WELL: DECRYPTED},
    ),
    ("copied", "A kubeconfig that is copied from elsewhere and never destroyed.", COPIED, {WELL: COPIED}),
    (
        "shredded_too_early",
        "A kubeconfig that is destroyed before it is written.",
        MADE,
        {f"{SHREDDED}\n": "", MADE: f"{SHREDDED}\n{MADE}"},
    ),
)
FILES = (
    ("cached", "A kubeconfig in the cache of a pipeline.", ".gitlab-ci.yml", CACHE, 5),
    ("uploaded", "A kubeconfig that a pipeline step uploads.", ".github/workflows/nodes.yml", UPLOAD, 7),
    ("script", "A script that uses a kubeconfig from a home folder.", "scripts/nodes.sh", SCRIPT, 2),
)


for name, what, wrong, edits in LINES:

    @violation(name=name, what=what)
    def _line(plant: Plant, line: str = wrong, changes: dict[str, str] = edits) -> Iterator[Named]:
        """Replace lines in a copy of the runbook, each once."""

        def edited(text: str) -> str:
            for old, new in changes.items():
                text = text.replace(old, new, 1)
            return text

        yield from runbook_line(plant, line, edited)


for name, what, path, content, at in FILES:

    @violation(name=name, what=what)
    def _file(plant: Plant, file: str = path, text: str = content, line: int = at) -> Iterator[Named]:
        """Add a file to a copy of the repository."""
        with plant.added("repositories", file, text):
            yield Named(f"File {file}:{line}")
