resource "cloudflare_zone" "platform" {
  account = {
    id = var.cloudflare_account_id
  }
  name = var.zone_name
  type = "full"
}

# Proxied records only: no record gives the balancer's address away.
resource "cloudflare_dns_record" "app_v4" {
  zone_id = cloudflare_zone.platform.id
  name    = "app.${var.zone_name}"
  type    = "A"
  content = hcloud_load_balancer.app.ipv4
  ttl     = 1
  proxied = true
}

resource "cloudflare_dns_record" "app_v6" {
  zone_id = cloudflare_zone.platform.id
  name    = "app.${var.zone_name}"
  type    = "AAAA"
  content = hcloud_load_balancer.app.ipv6
  ttl     = 1
  proxied = true
}

resource "cloudflare_zone_setting" "this" {
  for_each = {
    http3            = "on"
    brotli           = "on"
    ssl              = "strict"
    min_tls_version  = "1.2"
    tls_1_3          = "on"
    always_use_https = "on"
    tls_client_auth  = "on"
  }

  zone_id    = cloudflare_zone.platform.id
  setting_id = each.key
  value      = each.value
}

resource "cloudflare_zone_dnssec" "platform" {
  zone_id = cloudflare_zone.platform.id
  status  = "active"
}

# Cloudflare's managed rule set, executed without overrides: matches are blocked.
resource "cloudflare_ruleset" "waf" {
  zone_id = cloudflare_zone.platform.id
  name    = "managed"
  kind    = "zone"
  phase   = "http_request_firewall_managed"

  rules = [
    {
      description = "Cloudflare managed rules"
      expression  = "true"
      action      = "execute"
      enabled     = true
      action_parameters = {
        id = "efb7b8c949ac4650a09736fc376e9aee"
      }
    }
  ]
}
