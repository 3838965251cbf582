"""Defines the errors that commands report to the user."""

from __future__ import annotations


class SandboxError(Exception):
    """Error whose text names the cause and, if possible, the next command."""


class CommandError(SandboxError):
    """Failure of a command of the command line."""


class HostError(SandboxError):
    """Operation that the host refused; the text contains the host's own message."""


class InstanceError(SandboxError):
    """Operation that an instance backend cannot perform."""


class VendorRootError(SandboxError):
    """Failure to create a vendor root; the text names the log file."""
