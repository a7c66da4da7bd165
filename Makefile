# What each target needs, it installs or names. Only Go and make are taken for
# granted; make test also wants a Chromium and the real session stores, and gets
# them from the system's package manager, and node with npm, which it names.

GO       ?= go
LISTEN   ?= 127.0.0.1:8080
VERSION  := $(shell git describe --always --dirty 2>/dev/null)
LDFLAGS  := -s -w -X main.version=$(VERSION)
WASM     := static/web/app.wasm
WASM_SRC := $(shell find wasm shared -name '*.go' -o -name '*.svg' | grep -v _test.go) go.mod go.sum
LAB_WASM := bff/lab/strategy/built/app.wasm
LAB_SRC  := $(wildcard bff/lab/strategy/wasmpage/*.go) go.mod
RESULTS  := bin/test
PROVIDER := bff/e2e/interop/provider

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOTESTSUM   := gotest.tools/gotestsum@v1.13.0
BENCHSTAT   := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

PACK     :=

.PHONY: help run build wasm test check rules unit fleets e2e deploy lab lab-report topologies chaos bench bench-stores scale chromium provider servers balancers clean
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

help: ## what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: PACK := -fast
run: build ## build everything, then start the demo
	@echo "[4/4] starting"
	@bin/cloakroom demo --listen $(LISTEN)

build: wasm ## bin/cloakroom, with the application inside
	@echo "[3/4] building bin/cloakroom"
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/cloakroom ./bff

wasm: $(WASM) $(LAB_WASM) ## the application for the browser, compressed
	@echo "[2/4] compressing the application"
	@$(GO) run ./bff/spa/pack $(PACK) $(WASM)

$(WASM): $(WASM_SRC)
	@echo "[1/4] building the application for WebAssembly (a first build fetches the modules)"
	@GOOS=js GOARCH=wasm $(GO) build -trimpath -ldflags '-s -w' -o $@ ./wasm

$(LAB_WASM): $(LAB_SRC)
	@GOOS=js GOARCH=wasm $(GO) build -trimpath -ldflags '-s -w' -o $@ ./bff/lab/strategy/wasmpage
	@cp "$$($(GO) env GOROOT)/lib/wasm/wasm_exec.js" $(@D)

test: check unit e2e ## everything but make fleets and make deploy, on a fresh machine too
	@cat $(RESULTS)/unit.json $(RESULTS)/alone.json $(RESULTS)/e2e.json | awk ' \
		/"Test":/ && /^\{[^}]*"Action":"pass"/ { passed++ } \
		/"Test":/ && /^\{[^}]*"Action":"fail"/ { failed++ } \
		/"Test":/ && /^\{[^}]*"Action":"skip"/ { skipped++ } \
		END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed + skipped > 0 }'

check: ## gofmt, vet and staticcheck, of both sides and both modules; a proof for every rule
	@echo "== check"
	@out=$$(gofmt -l bff shared static wasm); if [ -n "$$out" ]; then echo "not gofmt-ed:"; echo "$$out"; exit 1; fi
	@$(GO) vet ./...
	@GOOS=js GOARCH=wasm $(GO) vet ./wasm/... ./shared/... ./bff/lab/strategy/wasmpage
	@cd bff/e2e && $(GO) vet ./... && $(GO) run $(STATICCHECK) ./...
	@cd bff/deploy/kubernetes && $(GO) vet ./... && $(GO) run $(STATICCHECK) ./...
	@$(GO) run $(STATICCHECK) ./...
	@$(GO) run ./bff/rules/table -check

rules: ## write the table of rules into README.md
	@$(GO) run ./bff/rules/table

# Several servers and instances to a test need the machine for themselves, and
# those that are killed under load, again and again, need time.
ALONE  := ./bff/session/nats ./bff/server ./bff/lab/topology ./bff/lab/play ./bff/lab/playground
FLEETS := ^Test(EveryStoreKeepsTheFleetsPromises|ARenewalMeetsTrouble|AProviderThatTakesTenSecondsIsAskedOnce|KeysAreRotatedUnderLoad|SealedSessionsOutliveRotatedKeys|AStoreIsKilledUnderLoad|NothingIsLost.*|EveryTopologyServes|WhatATopologyStands|Chaos)$$
RACE   := $(GO) run $(GOTESTSUM) --format pkgname --hide-summary skipped --jsonfile $(RESULTS)

unit: wasm chromium servers ## unit, contract and fuzz-seed tests, on real stores, under the race detector
	@echo "== unit"
	@mkdir -p $(RESULTS)
	@$(RACE)/unit.json -- -race -timeout 20m -skip '$(FLEETS)|Measured$$' $$($(GO) list ./... | grep -v '/bff/\(deploy\|server\|session/nats\|lab/play\|lab/playground\|lab/topology\)$$')
	@$(RACE)/alone.json -- -race -p 1 -timeout 20m -skip '$(FLEETS)' $(ALONE)

fleets: wasm servers balancers ## instances and stores that are killed, rotated and raced under load, for ten minutes
	@echo "== fleets"
	@mkdir -p $(RESULTS)
	@$(RACE)/fleets.json -- -race -p 1 -timeout 30m -run '$(FLEETS)' ./bff/session/... ./bff/server ./bff/lab/topology ./bff/lab/play

deploy: wasm servers balancers ## the files under bff/deploy, checked and run: HAProxy, Nginx, Caddy, systemd, Kubernetes (builds Caddy)
	@echo "== deploy"
	@$(GO) run $(GOTESTSUM) --format testname -- -count=1 -timeout 20m ./bff/deploy
	@cd bff/deploy/kubernetes && $(GO) run $(GOTESTSUM) --format testname -- -count=1 ./...

# What the lab measures takes minutes: make lab has it.
e2e: wasm chromium provider servers ## the whole demo in a real browser, a provider of another house, a sample of the lab
	@echo "== e2e"
	@mkdir -p $(RESULTS)
	@cd bff/e2e && $(GO) run $(GOTESTSUM) --format testname --jsonfile ../../$(RESULTS)/e2e.json -- -count=1 -timeout 20m -skip 'Measured$$|TestAPropertyFollows' ./...

LAB_RUNS ?= 1

lab: wasm chromium servers ## the whole lab in a real browser, held to its golden file; LAB_RUNS=3: each time the same, UPDATE=1: a new golden file
	@cd bff/e2e/lab && LAB_RUNS=$(LAB_RUNS) $(GO) test -v -count=1 -timeout 120m . $(if $(UPDATE),-update-lab)

# Three things at a time, each of which waits more than it works.
topologies: wasm servers ## every event on every topology, held to what each must show; TOPOLOGIES_OUT=folder: the report, too
	@TOPOLOGIES_OUT=$(if $(TOPOLOGIES_OUT),$(abspath $(TOPOLOGIES_OUT))) $(GO) test -v -count=1 -timeout 40m -run TestTheTopologiesMeasured ./bff/lab/compare

CHAOS_DURATION ?= 5m
CHAOS_SEED     ?= $(shell date +%s)

chaos: wasm servers ## kills at random on Redis Cluster and on PostgreSQL; CHAOS_DURATION=5m each, CHAOS_SEED=number
	@CHAOS_DURATION=$(CHAOS_DURATION) CHAOS_SEED=$(CHAOS_SEED) $(GO) test -v -count=1 -timeout 60m -run TestChaos ./bff/lab/play

# The report that the application shows at /lab. It is committed, so that a
# build needs no browser; renew it when the lab has changed.
lab-report: build chromium servers ## attack every strategy, and put the report into the application
	@mkdir -p static/web/lab
	@bin/cloakroom compare strategies --format json > static/web/lab/strategies.json.new
	@mv static/web/lab/strategies.json.new static/web/lab/strategies.json

# A peer that cannot be had is named by the bench, which goes on without it.
COMMITTED := bff/bench/committed.txt

bench: build chromium servers ## what a request costs, beside peers and plain proxies, and all that has a budget; ONLY=memory,client, ROUNDS=3, SMALL=1, or README=1 to commit to it
	@.ci/install haproxy:haproxy nginx:nginx apache2:apache2 libapache2-mod-auth-openidc:/usr/lib/apache2/modules/mod_auth_openidc.so || true
	@$(GO) build -o bin/requestbench ./bff/bench
	@bin/requestbench -json bin/bench/bench.json -bench bin/bench/bench.txt $(if $(ONLY),-only $(ONLY)) $(if $(ROUNDS),-rounds $(ROUNDS)) $(if $(SMALL),-small) $(if $(README),-readme README.md)
	@if [ -s $(COMMITTED) ]; then $(GO) run $(BENCHSTAT) committed=$(COMMITTED) now=bin/bench/bench.txt; fi
	@$(if $(README),cp bin/bench/bench.txt $(COMMITTED))

bench-stores: servers ## what a session costs in every store; ONLY=redis,postgres, or README=1 to put the table there
	@$(GO) build -o bin/storebench ./bff/session/storetest/storebench
	@bin/storebench -json bin/bench/stores.json $(if $(ONLY),-only $(ONLY)) $(if $(README),-readme README.md)

scale: ## what a thousand to a hundred million sessions need, and the first wall, from what was measured; README=1 puts it there, SCALE="-provider 5000" another usage, PUSH=1 measures news of writes again
	@$(GO) build -o bin/scale ./bff/bench/scale
	@bin/scale -json bin/bench/scale.json $(if $(PUSH),-measure-push bff/bench/scale/push.txt) $(if $(README),-readme README.md -svg bff/bench/scale/latency.svg) $(SCALE)

chromium:
	@.ci/install chromium:chromium

provider: $(PROVIDER)/node_modules/.package-lock.json

$(PROVIDER)/node_modules/.package-lock.json: $(PROVIDER)/package-lock.json
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || a === 20 && b >= 12 ? 0 : 1)' && npm --version >/dev/null || \
		{ echo "the tests against a provider of another house need node 20.12 or later, and npm: install them first"; exit 1; }
	@echo "installing oidc-provider (npm)"
	@npm ci --prefix $(PROVIDER) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null

servers:
	@.ci/install redis-server:redis-server memcached:memcached mariadb-server:mariadbd \
		postgresql:/usr/lib/postgresql/*/bin/postgres

balancers:
	@.ci/install haproxy:haproxy nginx:nginx gettext-base:envsubst systemd:systemd-analyze

clean:
	@rm -rf bin $(WASM) $(WASM).* bff/lab/strategy/built/*
