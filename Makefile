# What a developer types. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BAKELINE := $(or $(CARGO_TARGET_DIR),target)/debug/bakeline

.PHONY: help demo tour test api clients core matrix chaos faults realistic aws-smoke bench fuzz lint docs book recording dist dist-test clean
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

demo: ## release the shipped catalog on the local EC2 (Debian 12; asks before sudo)
	@scripts/demo.sh

tour: ## validate, plan, prune and check without root, cloud or SDK
	@scripts/tour.sh

test: ## all tests: Rust, sandbox, end to end
	@scripts/test.sh

api: ## tests of the API only: a local EC2 that boots nothing, without root
	@scripts/api.sh

clients: ## third-party clients: awscli, boto3, gitlab-ci-local, schema validators
	@scripts/clients.sh

# Many tests wait for processes, so four tests for each core run at a time.
core: ## the everyday loop: Rust tests without the AWS SDK
	RUST_TEST_THREADS=$$((4 * $$(getconf _NPROCESSORS_ONLN))) cargo test --no-default-features

matrix: ## all cases of the tests that otherwise run only a sample
	@scripts/matrix.sh

chaos: ## kill every command at every call and journal line, then recover
	@scripts/chaos.sh

faults: ## each action of the changing commands with each kind of fault
	@scripts/faults.sh

realistic: ## end-to-end tests under the conditions of AWS (FILES=... selects some)
	@scripts/realistic.sh $(FILES)

aws-smoke: ## one release on real AWS with cleanup; costs money (needs AWS_SMOKE_ACCOUNT)
	@scripts/aws-smoke.sh

bench: ## measure release and lookup against scripts doing the same
	@scripts/bench.sh

fuzz: ## hostile bytes into every parser of what others write (SECONDS=60 for each)
	@FUZZ_SECONDS=$(or $(SECONDS),60) scripts/fuzz.sh

lint: ## formatting, clippy, ruff, mypy, shellcheck, generated files, book
	@scripts/lint.sh

docs: ## regenerate the output blocks and reference tables of README and book
	@scripts/venv.sh
	@scripts/docs.py

book: ## build the book into target/book; links and anchors must hold
	@scripts/book.sh

recording: ## record `make demo` on a terminal and render docs/demo.svg
	@scripts/venv.sh
	@env -u MAKELEVEL -u MAKEFLAGS .venv/bin/python scripts/record-demo.py

dist: ## build the release artifacts into target/dist: programs, packages, container image, SBOM
	@scripts/dist.sh

dist-test: ## test the release artifacts in empty and Debian roots (needs root)
	@scripts/dist-test.sh

clean: ## end the local EC2 and remove what demo and tests made
	@scripts/clean.sh
