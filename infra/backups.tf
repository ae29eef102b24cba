# Buckets for backups (docs/backups-and-restore.md). Object lock can be given to a bucket at its making only, so a bucket that lacks it is
# replaced, never changed. They belong to a project of their own: its keys are not those of the platform's project.
# Days: how long a version is locked, until a snapshot is marked as deleted (pgBackRest does that itself), until what is no longer current goes.
locals {
  backups = {
    "etcd-backups"     = { locked = 30, ended = "30d", removed = 30 }
    "vault-backups"    = { locked = 30, ended = "30d", removed = 30 }
    "postgres-backups" = { locked = 30, ended = null, removed = 35 }
  }
}

resource "minio_s3_bucket" "backups" {
  for_each       = local.backups
  bucket         = each.key
  acl            = "private"
  object_locking = true
  force_destroy  = false

  lifecycle {
    prevent_destroy = true
  }
}

# Compliance, not governance: the bypass right of governance comes with every key of the project.
resource "minio_s3_bucket_retention" "backups" {
  for_each        = local.backups
  bucket          = minio_s3_bucket.backups[each.key].bucket
  mode            = "COMPLIANCE"
  unit            = "DAYS"
  validity_period = each.value.locked
}

# A snapshot is marked as deleted when it is no longer kept. A version that was overwritten or marked goes once its lock is over, not
# before: its lock would refuse it anyway.
resource "minio_ilm_policy" "backups" {
  for_each = local.backups
  bucket   = minio_s3_bucket.backups[each.key].bucket

  rule {
    id         = "kept"
    expiration = each.value.ended
    noncurrent_expiration {
      days = "${each.value.removed}d"
    }
  }
}
