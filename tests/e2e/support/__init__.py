"""Support library of the end-to-end tests: boto3, SSH and processes, without imports from bakeline."""
