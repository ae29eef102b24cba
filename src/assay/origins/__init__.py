"""Where secrets come from: Vault, SOPS, or neither."""
