"""NET-01: rules that open an admin port to more than the allow list, and ways around every firewall."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


FILE = "planted_firewall.tf"
PLANTED_NAMED = Named("hcloud_firewall.planted")


def _rule(port: str, sources: str, protocol: str = "tcp") -> str:
    head = f'  rule {{\n    direction  = "in"\n    protocol   = "{protocol}"\n'
    return head + f'    port       = "{port}"\n    source_ips = {sources}\n  }}\n'


def _opened(name: str, body: str, what: str) -> None:
    """Register a violation that adds one firewall with `body` to the sources.

    No plan covers them while it is open.
    """

    @violation(name=name, what=what)
    def planted(plant: Plant) -> Iterator[Named]:
        text = f'resource "hcloud_firewall" "planted" {{\n  name = "planted"\n\n{body}}}\n'
        with plant.added("infra", FILE, text):
            yield PLANTED_NAMED


@violation()
def default_in_locals(plant: Plant) -> Iterator[Named]:
    """The real rule, opened through the local value that it refers to."""
    new = '[var.netbird_cidr, "203.0.113.0/24"]'
    with plant.substituted("infra", r"\[var\.netbird_cidr\]", new, "*.tf"):
        yield Named("hcloud_firewall.control_plane")


@violation()
def tfvars_override(plant: Plant) -> Iterator[Named]:
    """The default is right, but a variables file opens it to everyone."""
    with plant.added("infra", "planted.auto.tfvars", 'netbird_cidr = "0.0.0.0/0"\n'):
        yield Named("hcloud_firewall.worker")


BARE_METAL = "machine:\n  type: worker\n  network:\n    hostname: planted-1\n"
EVERYONE = '["0.0.0.0/0"]'
DYNAMIC = """  dynamic "rule" {
    for_each = toset(["443", "6443"])
    content {
      direction  = "in"
      protocol   = "tcp"
      port       = rule.value
      source_ips = ["0.0.0.0/0"]
    }
  }
"""
_opened("open_to_all", _rule("6443", EVERYONE), "The Kubernetes API is open to everyone.")
_opened("open_to_all_v6_only", _rule("50000", '["::/0"]'), "The Talos API is open to everyone over IPv6.")
_opened(
    "range_of_every_port", _rule("1-65535", EVERYONE), "A port range that contains both admin ports is open."
)
_opened(
    "range_around_the_port",
    _rule("6000-7000", EVERYONE),
    "A port range around 6443 is open; a text search for the port does not find it.",
)
_opened("any_port", _rule("any", EVERYONE, "udp"), "A rule for any port is open, over UDP.")
_opened(
    "one_wide_network", _rule("6443", '["100.0.0.0/8"]'), "A network that contains the allowed one and more."
)
_opened("two_halves", _rule("50000", '["0.0.0.0/1", "128.0.0.0/1"]'), "All of IPv4, written as two halves.")
_opened("host_bits", _rule("6443", '["192.0.2.10/8"]'), "An allowed address with a prefix length of 8.")
_opened("mapped_address", _rule("6443", '["::ffff:0.0.0.0/96"]'), "All of IPv4, written as an IPv6 network.")
_opened("dynamic_rule", DYNAMIC, "An open rule that a dynamic block makes.")


@violation()
def server_without_firewall(plant: Plant) -> Iterator[Named]:
    """The control planes have no firewall, so every port is open although no rule opens one."""
    old = r"firewall_ids\s*=\s*\[hcloud_firewall\.control_plane\.id\]"
    with plant.substituted("infra", old, "", "*.tf"):
        yield Named("hcloud_server.control_plane")


@violation()
def selector_that_misses(plant: Plant) -> Iterator[Named]:
    """A firewall is applied by a label that a new server does not have."""
    text = (
        'resource "hcloud_server" "planted" {\n  name = "planted"\n  labels = { role = "control-plane" }\n}\n'
        'resource "hcloud_firewall" "planted" {\n  name = "planted"\n  apply_to {\n'
        '    label_selector = "role=controlplane"\n  }\n}\n'
    )
    with plant.added("infra", FILE, text):
        yield Named("hcloud_server.planted")


@violation()
def public_balancer(plant: Plant) -> Iterator[Named]:
    """The API's load balancer has a public interface, and no firewall can be attached to it."""
    new = "enable_public_interface = true"
    with plant.substituted("infra", r"enable_public_interface\s*=\s*false", new, "*.tf"):
        yield Named("hcloud_load_balancer_service.api")


@violation()
def balancer_behind_another_port(plant: Plant) -> Iterator[Named]:
    """A public load balancer listens on another port and forwards to the Talos API."""
    text = (
        'resource "hcloud_load_balancer_service" "planted" {\n'
        "  load_balancer_id = hcloud_load_balancer.app.id\n"
        '  protocol         = "tcp"\n  listen_port      = 8443\n  destination_port = 50000\n}\n'
    )
    with plant.added("infra", FILE, text):
        yield Named("hcloud_load_balancer_service.planted")


@violation()
def answers_rule_of_a_dedicated_server(plant: Plant) -> Iterator[Named]:
    """A dedicated server's firewall accepts all high ports, for answers: new connections to Talos pass."""
    text = (
        'resource "hetznerrobot_firewall" "planted" {\n  server_ip = "203.0.113.9"\n  active    = true\n'
        '  rule {\n    dst_port = "32768-65535"\n    protocol = "tcp"\n    action   = "accept"\n  }\n}\n'
    )
    with plant.added("infra", FILE, text):
        yield Named("hetznerrobot_firewall.planted")


@violation()
def node_that_blocks_nothing(plant: Plant) -> Iterator[Named]:
    """A node that no server of Terraform stands for has no firewall of its own."""
    with plant.added("machineconfigs", "planted-1.yaml", BARE_METAL):
        yield Named("File planted-1.yaml")


@violation()
def node_with_a_wide_rule(plant: Plant) -> Iterator[Named]:
    """Such a node blocks by default, and lets everybody in to the Talos API."""
    text = (
        f"{BARE_METAL}---\napiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: block\n"
        "---\napiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: apid\n"
        "portSelector:\n  ports: [50000]\n  protocol: tcp\ningress:\n  - subnet: ::/0\n"
    )
    with plant.added("machineconfigs", "planted-1.yaml", text):
        yield Named("File planted-1.yaml")
