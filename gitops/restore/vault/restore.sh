#!/bin/sh
# Vault from one snapshot, in a pod of its own. What is secret comes by files and by standard input and leaves by neither: no share, no
# token and no value is an argument, an environment variable or a line of a log.
#   fetch          the snapshot from object storage, decrypted, its own checksums right
#   install        into an empty Vault: initialised for this one purpose, then overwritten; sealed afterwards by the lost Vault's key
#   unseal         one keeper's share, from standard input
#   check ROLE PATH   log in with the service account's token on standard input, read one entry, say its version
set -eu
umask 077
cd /work
api=https://127.0.0.1:8200/v1
key_shares=5 key_threshold=3 # the shape of the lost Vault's own seal

ask() { curl --silent --show-error --fail-with-body --cacert /etc/restore/tls/tls.crt --max-time 600 "$@"; }
text() { /bin/busybox sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p"; }
says() { ask "$api/$1" 2>/dev/null | /bin/busybox grep -q "$2"; }
within() { # seconds, what, command: until the command succeeds
  left=$1 what=$2
  shift 2
  until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { echo "failed: $what" >&2; exit 1; }
    sleep 1
  done
}

fetch() {
  RCLONE_CONFIG_STORE_ACCESS_KEY_ID=$(text access_key < /etc/restore/kit/s3-reader.json)
  RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY=$(text secret_key < /etc/restore/kit/s3-reader.json)
  export RCLONE_CONFIG_STORE_ACCESS_KEY_ID RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY
  rclone copyto "store:$BUCKET/vault/$SNAPSHOT" /snapshot/vault.snapshot.age
  age --decrypt --identity /etc/restore/kit/vault-backup.agekey --output /snapshot/vault.snapshot /snapshot/vault.snapshot.age
  rm -f /snapshot/vault.snapshot.age
  /bin/busybox mkdir /snapshot/content
  /bin/busybox tar -xzf /snapshot/vault.snapshot -C /snapshot/content
  (cd /snapshot/content && sha256sum -c SHA256SUMS)
  size=$(stat -c %s /snapshot/content/state.bin)
  /bin/busybox rm -r /snapshot/content
  echo "fetched: $size bytes"
}

install() {
  within 60 "Vault does not answer" says sys/seal-status '"initialized":false'
  printf '{"secret_shares": %s, "secret_threshold": %s}' "$key_shares" "$key_threshold" |
    ask --request PUT --data @- --output made "$api/sys/init"
  /bin/busybox sed 's/.*"keys_base64":\[\([^]]*\)\].*/\1/' made | /bin/busybox tr -d '"' | /bin/busybox tr ',' '\n' |
    /bin/busybox head -n "$key_threshold" > keys
  while read -r key; do
    printf '{"key": "%s"}' "$key" | ask --request PUT --data @- --output /dev/null "$api/sys/unseal"
  done < keys
  within 60 "Vault does not lead itself" says sys/leader '"is_self":true'
  echo "X-Vault-Token: $(text root_token < made)" > header
  ask --header @header --request POST --upload-file /snapshot/vault.snapshot "$api/sys/storage/raft/snapshot-force"
  rm -f made keys header /snapshot/vault.snapshot
  within 60 "Vault is not sealed by the key of the snapshot" says sys/seal-status '"sealed":true'
  echo "installed: sealed, waiting for the keepers of the lost Vault's shares"
  trap 'exit 0' TERM
  while :; do
    sleep 3600 &
    wait $!
  done
}

unseal() {
  read -r share || [ -n "${share:-}" ]
  printf '{"key": "%s"}' "$share" | ask --request PUT --data @- "$api/sys/unseal" --output seal || refused=yes
  [ -z "${refused:-}" ] || { /bin/busybox sed 's/.*"errors":\["\([^"]*\)".*/\1/' seal >&2; exit 1; }
  /bin/busybox sed 's/.*"sealed":\([a-z]*\).*"t":\([0-9]*\).*"progress":\([0-9]*\).*/sealed: \1, share \3 of \2/' seal
}

check() {
  read -r token || [ -n "${token:-}" ]
  printf '{"role": "%s", "jwt": "%s"}' "$1" "$token" | ask --data @- --output session "$api/auth/kubernetes/login"
  echo "X-Vault-Token: $(text client_token < session)" > header
  rm -f session
  ask --header @header --output entry "$api/kv/data/$2"
  version=$(/bin/busybox sed 's/.*"version":\([0-9]*\).*/\1/' entry)
  rm -f entry
  ask --header @header --request POST "$api/auth/token/revoke-self"
  rm -f header
  echo "shown: $2 version $version"
}

"$@"
