# One spread group per role: Hetzner then puts its members on different hosts. A group holds at most ten servers.
resource "hcloud_placement_group" "control_plane" {
  name = "${var.cluster_name}-control"
  type = "spread"
}

resource "hcloud_placement_group" "pool" {
  for_each = var.pools

  name = "${var.cluster_name}-${each.key}"
  type = "spread"
}
