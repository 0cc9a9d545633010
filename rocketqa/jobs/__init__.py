"""Artefacts that are whole or absent: jobs, manifests, downloads, archives, seeds, progress."""
