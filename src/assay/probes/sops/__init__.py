"""Files that SOPS encrypts, and the rules for them."""
