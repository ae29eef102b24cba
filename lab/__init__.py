"""The lab: a real Talos/Kubernetes platform on one machine. It imports nothing of the suite."""
