variable "cluster_name" {
  description = "Prefix of every name."
  type        = string
  default     = "platform"
}

variable "location" {
  description = "Hetzner location of all servers and load balancers."
  type        = string
  default     = "fsn1"
}

variable "network_zone" {
  description = "Hetzner network zone of the private network."
  type        = string
  default     = "eu-central"
}

variable "talos_image" {
  description = "Snapshot with the Talos release that the runbook is written for."
  type        = string
  default     = "talos-v1.13.5"
}

variable "ci_runner_cidrs" {
  description = "Addresses of the CI runners that may reach kube-apiserver and apid."
  type        = list(string)
  default     = ["192.0.2.10/32", "192.0.2.11/32", "2001:db8:10::/64"]
}

variable "netbird_cidr" {
  description = "NetBird WireGuard range that may reach kube-apiserver and apid."
  type        = string
  default     = "100.64.0.0/10"
}

variable "pools" {
  description = "Dedicated worker pools: number of nodes and server type."
  type = map(object({
    count       = number
    server_type = string
  }))
  default = {
    app = { count = 2, server_type = "ccx33" }
    ai  = { count = 1, server_type = "ccx53" }
    db  = { count = 3, server_type = "ccx43" }
  }
}

variable "control_plane_type" {
  description = "Server type of the control planes."
  type        = string
  default     = "ccx23"
}

variable "zone_name" {
  description = "DNS zone that Cloudflare serves."
  type        = string
  default     = "example.com"
}

variable "cloudflare_account_id" {
  description = "Cloudflare account that owns the zone."
  type        = string
}

variable "object_storage" {
  description = "Host name of the object storage that holds the backups."
  type        = string
  default     = "fsn1.your-objectstorage.com"
}
