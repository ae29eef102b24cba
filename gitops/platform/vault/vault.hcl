# One configuration for all three members; what differs (node id, addresses) comes from the environment of the pod.
ui            = false
disable_mlock = true # the container has no IPC_LOCK; the nodes have no swap
log_format    = "json"

plugin_directory = "/usr/local/lib/vault"

listener "tcp" {
  address                            = "0.0.0.0:8200"
  cluster_address                    = "0.0.0.0:8201"
  tls_cert_file                      = "/etc/vault/tls/tls.crt"
  tls_key_file                       = "/etc/vault/tls/tls.key"
  tls_min_version                    = "tls12"
  tls_disable_client_certs           = true
  max_request_size                   = 1048576
}

storage "raft" {
  path                   = "/vault/data"
  performance_multiplier = 1

  retry_join {
    leader_api_addr     = "https://vault-0.vault-internal:8200"
    leader_ca_cert_file = "/etc/vault/tls/ca.crt"
  }
  retry_join {
    leader_api_addr     = "https://vault-1.vault-internal:8200"
    leader_ca_cert_file = "/etc/vault/tls/ca.crt"
  }
  retry_join {
    leader_api_addr     = "https://vault-2.vault-internal:8200"
    leader_ca_cert_file = "/etc/vault/tls/ca.crt"
  }
}

service_registration "kubernetes" {}
