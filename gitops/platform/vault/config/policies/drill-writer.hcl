# The acceptance suite's drills: the canary's login, and entries of their own beside everything else.
path "kv/data/postgres/canary" {
  capabilities = ["create", "read", "update"]
}

path "kv/data/assay-drill-*" {
  capabilities = ["create", "update"]
}

path "kv/metadata/assay-drill-*" {
  capabilities = ["delete", "list", "read"]
}
