"""Provides a local EC2 on moto whose instances are booted Debian systems."""
