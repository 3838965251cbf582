#!/usr/bin/env bash
# Third-party clients judge what we make: awscli, boto3 and HashiCorp's own template on the local EC2, schema validators.
. "$(dirname "$0")/common.sh"

schemas() {
    .venv/bin/check-jsonschema --schemafile schema/bakeline.schema.json bakeline.yaml
    .venv/bin/check-jsonschema --schemafile schema/image.schema.json images/*.yaml
    .venv/bin/check-jsonschema --schemafile schema/profile.schema.json profiles/*.yaml
    .venv/bin/check-jsonschema --check-metaschema schema/*.json
    .venv/bin/check-jsonschema --builtin-schema vendor.gitlab-ci .gitlab-ci.yml
}

minutes "packages" scripts/packages.sh
minutes "python environment" scripts/venv.sh
minutes "build" cargo build
minutes "schema validators" schemas
minutes "clients on the local EC2" .venv/bin/python -m pytest -q tests/e2e/clients
