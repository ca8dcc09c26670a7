# What a person types and what CI calls. `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run setup setup-lint test lint fmt bench

CARGO ?= cargo

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## share FILE=path from this machine: prints the link, the `get` line and a curl line
	@test -n "$(FILE)" || { echo "make run FILE=path/to/what/you/share" >&2; exit 2; }
	$(CARGO) run --release -- share "$(FILE)"

setup: ## install what the tests need and this machine lacks (nginx, curl, python3, cargo-nextest)
	./scripts/setup-test

setup-lint: ## install what lint needs and this machine lacks (cargo-deny)
	./scripts/setup-lint

test: setup ## every test: units, properties, crash points, real processes, house rules, documentation
	$(CARGO) nextest run --workspace
	$(CARGO) test --workspace --doc --quiet

lint: setup-lint ## formatting, clippy without warnings, licences and sources of what we depend on
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) deny --log-level error check bans licenses sources

fmt: ## format
	$(CARGO) fmt --all

bench: ## measure against nginx + curl and plain copies (bench/README.md)
	./bench/run
