# What a person types and what CI calls. `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run setup setup-lint test simulate-long lint fmt bench bench-hot bench-shaped dashboard dashboard-check

CARGO ?= cargo

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## share FILE=path from this machine: prints the link, the `get` line and a curl line, and shows a page
	@test -n "$(FILE)" || { echo "make run FILE=path/to/what/you/share" >&2; exit 2; }
	$(CARGO) run --release -- share "$(FILE)"

setup: ## install what the tests need and this machine lacks (nginx, curl, python3, chromium, nodejs, npm, libtorrent, cargo-nextest)
	./scripts/setup-test

setup-lint: ## install what lint needs and this machine lacks (rustfmt, clippy)
	./scripts/setup-lint

test: setup ## every test: units, properties, crash points, real processes, pages in a browser, house rules, documentation
	python3 bench/test_bench.py --quiet
	$(CARGO) test --workspace --doc --quiet
	$(CARGO) nextest run --workspace

SEEDS ?= 5000
STORIES ?= 100000
simulate-long: ## many swarms: SEEDS=5000 on a network that fails (`make test`: 200), STORIES=100000 of the brains alone (1,000)
	FAULT_SEEDS=$(SEEDS) $(CARGO) test -p faults swarms
	SIM_STORIES=$(STORIES) $(CARGO) test --release -p sim --test stories

lint: setup-lint ## formatting, clippy without warnings
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

fmt: ## format
	$(CARGO) fmt --all

bench: ## measure beside nginx + curl, aria2, libtorrent and b3sum, and renew docs/benchmarks.md (bench/README.md)
	./scripts/setup-bench
	python3 bench/test_bench.py --quiet
	$(CARGO) build --release
	$(CARGO) build --release -p store --example bare_loop
	./bench/run --docs docs/benchmarks.md

bench-hot: ## criterion on the hot functions: hashes, torrent.json, an announce, the brain, chunks on the disk
	$(CARGO) bench -p protocol -p registry -p swarm -p store --bench description --bench announcing --bench brain --bench chunks

SHAPED ?=
bench-shaped: ## as root: measure on links of a given speed, with libtorrent and the simulation; SHAPED="--cases 8" for some of it
	./scripts/setup-bench
	python3 bench/test_bench.py --quiet
	$(CARGO) build --release
	$(if $(filter 0,$(shell id -u)),,sudo) ./bench/shaped --docs docs/benchmarks.md $(SHAPED)

# npm writes this file last: it is newer than the lock file only when everything of it is installed.
dashboard/node_modules/.package-lock.json: dashboard/package.json dashboard/package-lock.json dashboard/.npmrc
	cd dashboard && npm ci
	@touch $@

dashboard: dashboard/node_modules/.package-lock.json ## build the pages' script and style (needs Node 20 and npm; `cargo build` does not)
	cd dashboard && npm run --silent build
	$(CARGO) test --quiet -p pages

dashboard-check: dashboard ## fail when the committed pages are not what their sources build
	git diff --exit-code HEAD -- crates/pages/assets
