"""NODE-05.

Machine secrets in Git, in its history, and on their way into a readable state. All of them are made up.
"""

import base64
from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


MADE_UP = base64.b64encode(b"planted, not a secret, 32 bytes.").decode()
KEY = base64.b64encode(("-----BEGIN ED25519 " + "PRIVATE KEY-----\nplanted\n").encode() + b"x" * 60).decode()
RENDERED = f"version: v1alpha1\nmachine:\n  type: controlplane\n  token: {'abc' * 2}.{'0123' * 4}\n"


@violation()
def state_backup(plant: Plant) -> Iterator[Named]:
    """A backup of the Terraform state, committed."""
    with plant.committed("infra/terraform.tfstate.backup", '{"version": 4}\n'):
        yield Named("File infra/terraform.tfstate.backup")


@violation()
def talosconfig_in_history(plant: Plant) -> Iterator[Named]:
    """An administrator's talosconfig, committed and removed again."""
    with plant.committed("talos/talosconfig", "context: planted\n", then_removed=True):
        yield Named("File talos/talosconfig")


@violation()
def kubeconfig_staged(plant: Plant) -> Iterator[Named]:
    """A kubeconfig that is staged but not committed yet."""
    with plant.added("repositories", "bootstrap/kubeconfig", "kind: Config\n"):
        yield Named("File bootstrap/kubeconfig")


@violation()
def rendered_configuration(plant: Plant) -> Iterator[Named]:
    """A machine configuration as `talosctl gen config` writes it, committed."""
    with plant.committed("talos/rendered/controlplane.yaml", RENDERED):
        yield Named("File talos/rendered/controlplane.yaml")


@violation()
def key_in_template(plant: Plant) -> Iterator[Named]:
    """The key of a certificate authority in a template with an inconspicuous name."""
    text = f"machine:\n  ca:\n    key: {KEY}\n"
    with plant.committed("talos/patches/planted.yaml", text):
        yield Named("File talos/patches/planted.yaml:3")


@violation()
def encryption_secret_in_history(plant: Plant) -> Iterator[Named]:
    """The key of etcd's encryption at rest, removed from the tree but still in the history."""
    text = f"cluster:\n  secretboxEncryptionSecret: {MADE_UP}\n"
    with plant.committed("talos/patches/planted.yaml", text, then_removed=True):
        yield Named("File talos/patches/planted.yaml:2")


@violation()
def state_in_clear(plant: Plant) -> Iterator[Named]:
    """A Terraform backend that does not encrypt the state."""
    with plant.substituted("infra", r"(encrypt\s+= )true", r"\1false", "*.tf"):
        yield Named("terraform.backend.s3")


@violation()
def configuration_as_user_data(plant: Plant) -> Iterator[Named]:
    """The machine configuration is passed to the server as user_data."""
    server, new = (
        r'(resource "hcloud_server" "control_plane" \{\n)',
        r'\1  user_data = file("controlplane.yaml")\n',
    )
    with plant.substituted("infra", server, new, "*.tf"):
        yield Named("hcloud_server.control_plane")
