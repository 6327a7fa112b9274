# SPDX-License-Identifier: Apache-2.0
# Two commands are enough: make demo, make test. Both fetch what they need; nothing
# outside this folder changes but Debian packages, and those only as root.

SHELL := /bin/bash
GO    ?= go

.PHONY: help build image demo test test-long test-engines fuzz lint bench clean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## Build bin/flyball, one static file
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/flyball ./cmd/flyball

image: ## Build the container image from scratch, without a daemon: bin/flyball.oci.tar
	@scripts/image.sh

demo: ## Take a year of real history through the whole loop
	CGO_ENABLED=0 $(GO) run ./cmd/flyball demo

test: ## Check format, vet and test, with the race detector where goroutines are
	@scripts/test.sh

test-long: ## The same with the tests that take too long for every change
	@FLYBALL_LONG=1 scripts/test.sh

test-engines: ## Kill the pieces of a real Slurm, Ray and Kubernetes under trainings
	@scripts/test-engines.sh

fuzz: ## Fuzz every decoder; TIME=1m each, 10m where it is not said
	@scripts/fuzz.sh $(TIME)

lint: ## Run golangci-lint, at a fixed version, built into .cache/bin
	@scripts/lint.sh

bench: ## Run the benchmarks that docs/performance.md quotes
	@scripts/bench.sh

clean: ## Remove what was built and fetched
	rm -rf bin .cache
