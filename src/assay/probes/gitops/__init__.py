"""The Git repository, its manifests and kustomize overlays."""
