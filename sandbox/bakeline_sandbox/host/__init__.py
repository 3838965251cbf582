"""Wraps what the local EC2 needs from its host: processes, mounts, cgroups, namespaces and apt."""
