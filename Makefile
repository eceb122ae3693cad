# gatepost: `make help` lists what can be done.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
CARGO ?= cargo
export CARGO_TERM_COLOR ?= auto

# Tools that the checks need are installed here, never into the user's own folders.
TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/gatepost/tools
export PATH := $(TOOLS)/bin:$(PATH)

.PHONY: help build demo test format clippy unit documentation wasm instructions deny fuzz ffi python performance h2spec conformance conformance-part

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | column -t -s "$$(printf '\t')"

build: ## build the gatepost command (target/release/gatepost)
	$(CARGO) build --locked --release -p gatepost-cli

demo: ## serve the walkthrough: both releases of the application, the gateway, files to edit
	$(CARGO) run --locked --release -p gatepost-cli -- demo

test: ## run every check, installing what the checks need
	@./scripts/test

format: ## check the formatting
	$(CARGO) fmt --all --check

clippy: ## lint, warnings are errors
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

unit: ## unit, property, case, integration and walkthrough tests
	$(CARGO) test --locked --workspace --all-targets

documentation: ## examples in the documentation, and its links
	$(CARGO) test --locked --workspace --doc
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

wasm: ## core compiles for wasm32-unknown-unknown
	@./scripts/tool wasm32
	$(CARGO) check --locked -p gatepost --target wasm32-unknown-unknown
	$(CARGO) check --locked -p gatepost --no-default-features --target wasm32-unknown-unknown

instructions: ## count instructions of requests and changes, and hold them against what is committed (no timing)
	@./scripts/instructions

python: ## build the Python wheel, install it into a clean environment, check stubs, types and behaviour
	@./scripts/python

deny: ## licences, bans and sources of the dependencies
	@./scripts/tool cargo-deny
	$(CARGO) deny --locked --log-level error check bans licenses sources

fuzz: ## build the fuzz targets and replay their corpora (scripts/fuzz SECONDS explores)
	@./scripts/tool cargo-fuzz
	@./scripts/fuzz 0

ffi: ## compile and run the C library's examples and tests, under sanitizers and valgrind
	@./ffi/check

h2spec: ## run h2spec --strict against the binary, in clear and over TLS (needs go, openssl, python3)
	@./scripts/h2spec

conformance: ## upstream's suite on a real API server, both channels, and scenarios of our own; writes conformance/reports/ (root)
	@./scripts/conformance

conformance-part: ## the part of it that `make test` has time for: one channel, two scenarios (root, else it says so)
	@./scripts/conformance --part

performance: ## measure matcher and proxy beside their peers and write docs/performance.md (minutes; nothing else may run)
	@./scripts/performance
