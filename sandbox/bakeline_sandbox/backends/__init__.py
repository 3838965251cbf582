"""Runs instances: as booted containers (nspawn), or as chroots if containers cannot run."""
