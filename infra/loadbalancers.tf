# Firewalls cannot be attached to load balancers: the API balancer has no public interface at all.
resource "hcloud_load_balancer" "api" {
  name               = "${var.cluster_name}-api"
  load_balancer_type = "lb11"
  location           = var.location
}

resource "hcloud_load_balancer_network" "api" {
  load_balancer_id        = hcloud_load_balancer.api.id
  subnet_id               = hcloud_network_subnet.nodes.id
  ip                      = "10.0.1.5"
  enable_public_interface = false
}

resource "hcloud_load_balancer_target" "api" {
  count = local.control_planes

  type             = "server"
  load_balancer_id = hcloud_load_balancer.api.id
  server_id        = hcloud_server.control_plane[count.index].id
  use_private_ip   = true

  depends_on = [hcloud_load_balancer_network.api]
}

resource "hcloud_load_balancer_service" "api" {
  load_balancer_id = hcloud_load_balancer.api.id
  protocol         = "tcp"
  listen_port      = 6443
  destination_port = 6443

  # Without credentials the apiserver answers 401 over TLS; what answers that is alive.
  health_check {
    protocol = "http"
    port     = 6443
    interval = 5
    timeout  = 3
    retries  = 2

    http {
      path         = "/readyz"
      tls          = true
      status_codes = ["200", "401"]
    }
  }
}

resource "hcloud_load_balancer" "app" {
  name               = "${var.cluster_name}-app"
  load_balancer_type = "lb21"
  location           = var.location
}

resource "hcloud_load_balancer_network" "app" {
  load_balancer_id = hcloud_load_balancer.app.id
  subnet_id        = hcloud_network_subnet.nodes.id
  ip               = "10.0.1.6"
}

resource "hcloud_load_balancer_target" "app" {
  type             = "label_selector"
  load_balancer_id = hcloud_load_balancer.app.id
  label_selector   = "cluster=${var.cluster_name},pool=app"
  use_private_ip   = true

  depends_on = [hcloud_load_balancer_network.app]
}

# TLS ends at the gateway, which asks Cloudflare for its client certificate (authenticated origin pulls).
resource "hcloud_load_balancer_service" "app" {
  load_balancer_id = hcloud_load_balancer.app.id
  protocol         = "tcp"
  listen_port      = 443
  destination_port = 30443
  proxyprotocol    = true

  health_check {
    protocol = "http"
    port     = 30443
    interval = 5
    timeout  = 3
    retries  = 2

    http {
      path         = "/healthz"
      tls          = true
      status_codes = ["200"]
    }
  }
}
