"""The Talos machine API: `Talos` reads, `TalosWriter` plants. Both drive the profile's talosctl."""

from assay.probes.talos_read import API_PORT, Talos
from assay.probes.talos_write import TalosWriter


__all__ = ["API_PORT", "Talos", "TalosWriter"]
