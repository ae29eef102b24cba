#!/bin/sh
# One snapshot of Vault's storage: taken from the active member, checked, encrypted here, uploaded. What is in it is encrypted by Vault
# already; the second layer keeps it from whoever has an unseal share and the bucket. Its token lives as long as this script.
set -eu
umask 077
: "${BUCKET:?set BUCKET in the overlay}" "${AGE_RECIPIENT:?set AGE_RECIPIENT in the overlay: the escrow key, public half}"
vault="${VAULT_ADDR:-https://vault-active.vault.svc:8200}/v1"
cd /work

ask() { curl --silent --show-error --fail --cacert /etc/authority/ca.crt --max-time 60 "$@"; }

printf '{"role": "vault-snapshot", "jwt": "%s"}' "$(cat /var/run/secrets/vault/token)" > login.json
ask --data @login.json --output session.json "$vault/auth/kubernetes/login"
token=$(/bin/busybox sed -n 's/.*"client_token" *: *"\([^"]*\)".*/\1/p' session.json)
rm -f login.json session.json
[ -n "$token" ] || { echo "Vault gave no token" >&2; exit 1; }
echo "X-Vault-Token: $token" > header
trap 'ask --header @header --request POST "$vault/auth/token/revoke-self" || true' EXIT

ask --header @header --location --output vault.snapshot "$vault/sys/storage/raft/snapshot"
/bin/busybox mkdir content
/bin/busybox tar -xzf vault.snapshot -C content
(cd content && sha256sum -c SHA256SUMS)
/bin/busybox rm -r content
name="vault/$(date -u +%Y%m%dT%H%M%SZ).snapshot.age"
age --encrypt --recipient "$AGE_RECIPIENT" --output vault.snapshot.age vault.snapshot
rm -f vault.snapshot
rclone copyto vault.snapshot.age "store:$BUCKET/$name"
echo "uploaded $name, $(stat -c %s vault.snapshot.age) bytes"
