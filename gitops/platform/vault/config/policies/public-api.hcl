# The public API's own values, and nothing else.
path "kv/data/shop/public-api" {
  capabilities = ["read"]
}
