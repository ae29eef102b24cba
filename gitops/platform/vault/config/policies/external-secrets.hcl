# The operator's own account reads the canary that shows how fast a rotation arrives; everything else is read with the rights of
# the workload it is for.
path "kv/data/canary/rotation" {
  capabilities = ["read"]
}
