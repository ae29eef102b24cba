# The canary whose rotation is timed. What the operator copies into other namespaces it reads as their own service accounts,
# with their own roles.
path "kv/data/canary/rotation" {
  capabilities = ["read"]
}
