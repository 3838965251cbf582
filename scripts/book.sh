#!/usr/bin/env bash
# Builds the book into target/book. A broken link or anchor, or a page outside the navigation, is an error.
. "$(dirname "$0")/common.sh"
scripts/venv.sh
# Not with --quiet, which hides the warnings from --strict as well.
NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict
say "the book is in target/book"
