"""Connects booted instances by a router namespace.

The router has the firewall, the metadata service, DNS and relays to services of the host.
"""
