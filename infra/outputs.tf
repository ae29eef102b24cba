output "control_planes" {
  description = "Private addresses of the control planes, for the bootstrap job."
  value       = { for server in hcloud_server.control_plane : server.name => one(server.network[*].ip) }
}

output "api_endpoint" {
  description = "Cluster endpoint, reached over the private network or NetBird."
  value       = "https://${hcloud_load_balancer_network.api.ip}:6443"
}

output "app_address" {
  description = "Public address of the App balancer; DNS shows Cloudflare's instead."
  value       = hcloud_load_balancer.app.ipv4
}
