"""Terraform plans, states and what their resources mean at the provider."""
