#!/usr/bin/env bash
# Tests with third-party clients: awscli, boto3, HashiCorp's template and gitlab-ci-local on the local
# EC2, and schema validators.
. "$(dirname "$0")/common.sh"

schemas() {
    .venv/bin/check-jsonschema --schemafile schema/bakeline.schema.json bakeline.yaml
    .venv/bin/check-jsonschema --schemafile schema/image.schema.json images/*.yaml
    .venv/bin/check-jsonschema --schemafile schema/profile.schema.json profiles/*.yaml
    .venv/bin/check-jsonschema --check-metaschema schema/*.json
    .venv/bin/check-jsonschema --builtin-schema vendor.gitlab-ci .gitlab-ci.yml
}

# gitlab-ci-local needs rsync and a Node with npm.
more=(rsync)
if ! command -v npm >/dev/null; then more+=(nodejs npm); fi
timed "packages" scripts/packages.sh "${more[@]}"
timed "python environment" scripts/venv.sh
timed "build" cargo build
timed "schema validators" schemas
timed "clients on the local EC2" .venv/bin/python -m pytest -q tests/e2e/clients
