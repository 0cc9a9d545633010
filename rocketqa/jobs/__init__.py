"""Artefacts that are whole or not there: jobs and their manifests, downloads, archives, seeds, progress bars."""
