"""HTTP, TLS and OIDC, as a client outside sees them."""
