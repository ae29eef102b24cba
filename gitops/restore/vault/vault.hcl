# One member with a storage of its own; it knows nothing of the lost ones.
ui               = false
disable_mlock    = true # the container has no IPC_LOCK; the nodes have no swap
log_format       = "json"
plugin_directory = "/usr/local/lib/vault"

listener "tcp" {
  address                  = "0.0.0.0:8200"
  cluster_address          = "0.0.0.0:8201"
  tls_cert_file            = "/etc/restore/tls/tls.crt"
  tls_key_file             = "/etc/restore/tls/tls.key"
  tls_min_version          = "tls12"
  tls_disable_client_certs = true
  max_request_size         = 1048576
}

storage "raft" {
  path    = "/vault/data"
  node_id = "vault-restored"
}
