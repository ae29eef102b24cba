#!/bin/sh
# One snapshot of etcd: taken through the Talos API, checked, encrypted here, uploaded. In clear it exists in this pod's memory only.
set -eu
umask 077
: "${NODES:?set NODES in the overlay}" "${BUCKET:?}" "${AGE_RECIPIENT:?set AGE_RECIPIENT in the overlay: the escrow key, public half}"
cd /work

taken=no
for node in $NODES; do
  rm -f etcd.snapshot
  if talosctl -e "$node" -n "$node" etcd snapshot etcd.snapshot; then
    taken=yes
    break
  fi
  echo "no snapshot from $node" >&2
done
[ "$taken" = yes ] || { echo "no control plane gave a snapshot" >&2; exit 1; }

etcdutl snapshot status etcd.snapshot -w json
name="etcd/$(date -u +%Y%m%dT%H%M%SZ).snapshot.age"
age --encrypt --recipient "$AGE_RECIPIENT" --output etcd.snapshot.age etcd.snapshot
rm -f etcd.snapshot
rclone copyto etcd.snapshot.age "store:$BUCKET/$name"
echo "uploaded $name, $(stat -c %s etcd.snapshot.age) bytes"
