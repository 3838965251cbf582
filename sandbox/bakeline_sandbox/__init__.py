"""A local EC2 on moto whose instances are real booted Debian systems."""
