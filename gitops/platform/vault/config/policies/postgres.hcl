# The database's own accounts.
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

path "kv/data/postgres/canary" {
  capabilities = ["read"]
}
