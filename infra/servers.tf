# No user_data: machine configurations hold secrets and would lie in the state and in the metadata service.
# Nodes start in maintenance mode; the bootstrap job applies their configuration over the private network.

locals {
  control_planes = 3

  workers = merge([
    for pool, spec in var.pools : {
      for index in range(spec.count) : "${pool}-${index + 1}" => { pool = pool, server_type = spec.server_type }
    }
  ]...)
}

resource "hcloud_server" "control_plane" {
  count = local.control_planes

  name               = "${var.cluster_name}-cp-${count.index + 1}"
  server_type        = var.control_plane_type
  location           = var.location
  image              = var.talos_image
  placement_group_id = hcloud_placement_group.control_plane.id
  firewall_ids       = [hcloud_firewall.control_plane.id]

  labels = {
    cluster = var.cluster_name
    role    = "controlplane"
    pool    = "control"
  }

  network {
    network_id = hcloud_network.platform.id
    ip         = "10.0.1.${count.index + 11}"
  }

  depends_on = [hcloud_network_subnet.nodes]
}

resource "hcloud_server" "worker" {
  for_each = local.workers

  name               = "${var.cluster_name}-${each.key}"
  server_type        = each.value.server_type
  location           = var.location
  image              = var.talos_image
  placement_group_id = hcloud_placement_group.pool[each.value.pool].id
  firewall_ids       = [hcloud_firewall.worker.id]

  labels = {
    cluster = var.cluster_name
    role    = "worker"
    pool    = each.value.pool
  }

  network {
    network_id = hcloud_network.platform.id
  }

  depends_on = [hcloud_network_subnet.nodes]
}
