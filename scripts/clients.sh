#!/usr/bin/env bash
# Tests with third-party clients: awscli, boto3 and HashiCorp's template on the local EC2, and schema
# validators.
. "$(dirname "$0")/common.sh"

schemas() {
    .venv/bin/check-jsonschema --schemafile schema/bakeline.schema.json bakeline.yaml
    .venv/bin/check-jsonschema --schemafile schema/image.schema.json images/*.yaml
    .venv/bin/check-jsonschema --schemafile schema/profile.schema.json profiles/*.yaml
    .venv/bin/check-jsonschema --check-metaschema schema/*.json
    .venv/bin/check-jsonschema --builtin-schema vendor.gitlab-ci .gitlab-ci.yml
}

timed "packages" scripts/packages.sh
timed "python environment" scripts/venv.sh
timed "build" cargo build
timed "schema validators" schemas
timed "clients on the local EC2" .venv/bin/python -m pytest -q tests/e2e/clients
