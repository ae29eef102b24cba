# The nightly backup takes a snapshot of the storage; it can restore none.
path "sys/storage/raft/snapshot" {
  capabilities = ["read"]
}
