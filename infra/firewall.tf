# A server with a firewall refuses every inbound packet that no rule lets in. The rules guard the public interfaces only;
# the private network is guarded by Talos' own ingress firewall.

locals {
  admin_cidrs = concat(var.ci_runner_cidrs, [var.netbird_cidr])
}

resource "hcloud_firewall" "control_plane" {
  name = "${var.cluster_name}-control"

  rule {
    description = "kube-apiserver, for CI runners and the NetBird range"
    direction   = "in"
    protocol    = "tcp"
    port        = "6443"
    source_ips  = local.admin_cidrs
  }

  rule {
    description = "Talos apid, for CI runners and the NetBird range"
    direction   = "in"
    protocol    = "tcp"
    port        = "50000"
    source_ips  = local.admin_cidrs
  }

  rule {
    description = "Path MTU discovery"
    direction   = "in"
    protocol    = "icmp"
    source_ips  = ["0.0.0.0/0", "::/0"]
  }
}

resource "hcloud_firewall" "worker" {
  name = "${var.cluster_name}-worker"

  rule {
    description = "Talos apid, for CI runners and the NetBird range"
    direction   = "in"
    protocol    = "tcp"
    port        = "50000"
    source_ips  = local.admin_cidrs
  }

  rule {
    description = "Path MTU discovery"
    direction   = "in"
    protocol    = "icmp"
    source_ips  = ["0.0.0.0/0", "::/0"]
  }
}
