terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    hcloud = {
      source  = "hetznercloud/hcloud"
      version = "~> 1.54"
    }
    minio = {
      source  = "aminueza/minio"
      version = "~> 3.3"
    }
    cloudflare = {
      source  = "cloudflare/cloudflare"
      version = "~> 5.8"
    }
  }

  # The state is encrypted at rest and locked. Endpoint, bucket and credentials are given to `terraform init`.
  backend "s3" {
    key          = "platform/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

# HCLOUD_TOKEN and CLOUDFLARE_API_TOKEN come from the environment of the CI job, never from a file.
provider "hcloud" {}

provider "cloudflare" {}

# Object storage of the backup project. MINIO_USER and MINIO_PASSWORD come from the environment as well.
provider "minio" {
  minio_server = var.object_storage
  minio_region = "fsn1"
  minio_ssl    = true
}
