# What External Secrets copies into the cluster: exactly these entries.
path "kv/data/shop/public-api" {
  capabilities = ["read"]
}

path "kv/data/postgres/superuser" {
  capabilities = ["read"]
}

path "kv/data/postgres/replication" {
  capabilities = ["read"]
}

path "kv/data/postgres/app" {
  capabilities = ["read"]
}

path "kv/data/postgres/auditor" {
  capabilities = ["read"]
}

path "kv/data/canary/rotation" {
  capabilities = ["read"]
}
