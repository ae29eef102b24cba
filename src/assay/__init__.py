"""assay: the acceptance suite of a Talos/Kubernetes platform."""
