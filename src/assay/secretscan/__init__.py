"""What looks like a secret: names, tokens, texts, files, and fingerprints that compare without showing."""
