# Signalbox. `make help` lists what there is to make.

LISTEN ?= 127.0.0.1:8080
DATA ?= ./data
FUZZTIME ?= 10s
EXCHANGES ?= 10000
CHURNTIME ?= 5m
TORTUREFLAGS ?=
BENCHFLAGS ?=

# Binaries run on any Linux of their architecture and hold no paths of the machine that built them.
GO_BUILD := CGO_ENABLED=0 go build -trimpath

BUNDLE := web/static/dist/app.js
BUNDLE_SOURCES := $(shell find web/browser/src -type f) web/browser/package.json

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run build test bench microbench fuzz churn farm torture differential generate lint

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: $(BUNDLE) ## serve http://127.0.0.1:8080 with demo data kept in ./data (LISTEN=… DATA=… to change)
	go run ./cmd/signalbox serve --demo --listen $(LISTEN) --data $(DATA)

build: $(BUNDLE) ## build bin/signalbox, bin/refhost and bin/functionalhost, static
	$(GO_BUILD) -o bin/signalbox ./cmd/signalbox
	$(GO_BUILD) -o bin/refhost ./e2e/refhost
	$(GO_BUILD) -o bin/functionalhost ./e2e/functionalhost

test: ## install what the tests need and run them all, the last line counts them
	@go run ./scripts/test

bench: ## measure the server beside its peers and write docs/performance.md (BENCHFLAGS='-rounds 1 -only echo' for less)
	cd bench && GOWORK=off go run . -o ../docs/performance.md $(BENCHFLAGS)

microbench: ## run the Go benchmarks of both modules
	go test -run '^$$' -bench . -benchmem work

fuzz: ## run each fuzz target for FUZZTIME (10s)
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

churn: ## let 1000 clients come and go for CHURNTIME (5m), and look for what they leave behind
	go test -race -count 1 -v -timeout 0 ./e2e/churn -duration $(CHURNTIME) -clients 1000

torture: e2e/node/node_modules/.package-lock.json ## kill, pause and cut off servers under load, the last line counts what was lost (TORTUREFLAGS='-sabotage')
	@scripts/torture.sh $(TORTUREFLAGS)

differential: ## play EXCHANGES (10000) on refhost and on the server that SIGNALR_REFERENCE starts, and compare
	go test -count 1 -v -timeout 0 ./e2e/differential -exchanges $(EXCHANGES)

farm: e2e/node/node_modules/.package-lock.json e2e/browser/node_modules/.package-lock.json ## run the tests of the JavaScript client, in Node and Chromium, against three servers behind a balancer
	$(GO_BUILD) -o bin/refhost ./e2e/refhost
	$(GO_BUILD) -o bin/farmhost ./e2e/farmhost
	cd e2e/node && SIGNALR_SERVER=../../bin/farmhost npm test
	cd e2e/browser && SIGNALR_SERVER=../../bin/farmhost node --test matrix.test.mjs
	go test -count 1 -v ./e2e/farm -clients 500 -outage 30s

generate: ## bring generated code up to date
	go generate work

lint: web/browser/node_modules/.package-lock.json ## gofmt, go vet, staticcheck, and the TypeScript compiler
	scripts/lint.sh

# The script that pages load, bundled from TypeScript and embedded into the server.
$(BUNDLE): web/browser/node_modules/.package-lock.json $(BUNDLE_SOURCES)
	npm --prefix web/browser run --silent build
	@touch $@

# npm writes this file last when it installs, so its age is the age of the installation.
%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --no-audit --no-fund
	@touch $@
