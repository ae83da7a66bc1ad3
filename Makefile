# "make" alone lists the targets. Everything here is a short form of a command that works without make.

GO            ?= go
FUZZTIME      ?= 10s
BENCH         ?= .
# The linter is pinned: a new release must not turn a green commit red.
GOLANGCI      := v2.15.0
# Outside the repository, so that a clean checkout finds the binary of the one before.
CACHE         ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mcpfleet
GOLANGCI_DIR   = $(CACHE)/golangci-lint-$(GOLANGCI)
GOLANGCI_LINT  = $(GOLANGCI_DIR)/golangci-lint
# Directories of the nested modules: every go.mod below the root.
NESTED         = $(sort $(patsubst ./%/go.mod,%,$(shell find . -mindepth 2 -name go.mod -not -path '*/testdata/*' -not -path '*/.*/*')))

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-20s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: test
test: ## run the tests of the root module
	$(GO) test ./...

.PHONY: race
race: ## run the tests of the root module under the race detector
	$(GO) test -race ./...

.PHONY: nested
nested: ## run the tests of every nested module
	@set -e; for dir in $(NESTED); do echo "-- $$dir"; (cd "$$dir" && $(GO) vet ./... && $(GO) test ./...); done

.PHONY: vet
vet: ## vet the root module for this system, Windows, macOS and arm64
	$(GO) vet ./...
	GOOS=windows $(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...

.PHONY: lint
lint: $(GOLANGCI_LINT) ## run golangci-lint with .golangci.yml
	$(GOLANGCI_LINT) run ./...

# GOFLAGS and GOWORK are cleared: this builds somebody else's module, for this machine.
$(GOLANGCI_LINT):
	GOBIN=$(GOLANGCI_DIR) GOFLAGS= GOWORK=off $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI)

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (default 10s)
	@set -e; grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sort | while IFS=: read -r file func; do \
		name=$${func#func }; echo "-- $$(dirname "$$file") $$name"; \
		(cd "$$(dirname "$$file")" && $(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) . </dev/null); \
	done

.PHONY: bench
bench: ## run the benchmarks that match BENCH (default all)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

.PHONY: work
work: ## create a go.work that joins the root and all nested modules (not committed)
	rm -f go.work go.work.sum
	$(GO) work init . $(addprefix ./,$(NESTED))

.PHONY: tidy-check
tidy-check: ## check that every go.mod and go.sum is tidy
	GOWORK=off $(GO) mod tidy -diff
	@set -e; for dir in $(NESTED); do echo "-- $$dir"; (cd "$$dir" && GOWORK=off $(GO) mod tidy -diff); done

# A program that is built and then run keeps its exit status, which "go run" does not: where something that it needs is
# missing, make says "Error 3".
define measure
	$(GO) build -o "$(CACHE)/figures/$(1)" ./internal/figures/$(1)
	"$(CACHE)/figures/$(1)"
endef

.PHONY: figures
figures: figures-session figures-call figures-originals figures-reliability figures-real figures-auth figures-conformance figures-openapi figures-registry figures-vector figures-select figures-selection ## measure everything (use make -k to go on after a SHORT)

.PHONY: figures-session
figures-session: ## measure the session map against a plain map and a mutex
	$(call measure,session)

.PHONY: figures-call
figures-call: ## measure one call against the same call on the bare SDK
	$(call measure,call)

.PHONY: figures-originals
figures-originals: ## replay the cases of the systems that came before
	$(call measure,originals)

.PHONY: figures-reliability
figures-reliability: ## break servers, connections, callbacks and processes, and count what callers notice
	$(call measure,reliability)

.PHONY: figures-real
figures-real: ## measure against real MCP servers (needs MCPFLEET_NPM, see .ci/npm)
	$(call measure,real)

.PHONY: figures-auth
figures-auth: ## measure credentials and OAuth, also against a real authorization server (needs MCPFLEET_NPM)
	$(call measure,auth)

.PHONY: figures-conformance
figures-conformance: ## run the conformance suite of MCP against a client of this library (needs MCPFLEET_NPM)
	$(call measure,conformance)

.PHONY: figures-openapi
figures-openapi: ## make servers of public API documents and call them (needs MCPFLEET_NPM)
	cd adapters/openapi && $(GO) build -o "$(CACHE)/figures/openapi" ./figures
	"$(CACHE)/figures/openapi"

.PHONY: figures-registry
figures-registry: ## measure a fleet of servers: reloads under load, servers that hang, real ones from npm (needs MCPFLEET_NPM)
	$(call measure,registry)

.PHONY: figures-vector
figures-vector: ## measure exact vector search against a load-only pass, a plain loop and chromem-go
	cd internal/figures/vector && $(GO) build -o "$(CACHE)/figures/vector" .
	"$(CACHE)/figures/vector"

.PHONY: figures-select
figures-select: ## measure whole selections: how long they take, what a change costs (MCPFLEET_DATA for real tools)
	$(call measure,select)

.PHONY: figures-selection
figures-selection: ## measure what is found, on labelled requests (needs MCPFLEET_DATA, see internal/eval)
	cd internal/eval && $(GO) build -o "$(CACHE)/figures/selection" .
	"$(CACHE)/figures/selection"
