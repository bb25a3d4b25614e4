# SPDX-FileCopyrightText: The mainstay authors
# SPDX-License-Identifier: Apache-2.0

# make help lists the targets. CI=true makes the optional obligatory: a C compiler for the race
# detector, the peers of make interop.

GO ?= go

# Run by version and not through a tool directive: that would put staticcheck and what it needs into
# go.mod, and so into the version selection of every program that imports mainstay. The version is
# pinned here, its content by the Go checksum database.
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Tests of real peers have a tag of their own; what reads code reads them too.
TAGS := -tags interop

# In CI every test is run anew and shown by name, skips included.
TESTFLAGS := -timeout 15m
ifeq ($(CI),true)
TESTFLAGS += -count=1 -v
endif

.PHONY: docs help build test race interop bench bench-record schedules soak soak-record check format vet staticcheck tidy policy cross clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: ## the programs, into bin/
	$(GO) build -o bin/ ./cmd/... ./examples/...

test: ## everything that needs nothing but Go; with the race detector where there is a C compiler
	@race=$$(GO="$(GO)" scripts/race-flag.sh) && set -x && $(GO) test $$race $(TESTFLAGS) ./...

interop: ## the same code against real clients and servers; as root on Debian it installs them
	GO="$(GO)" scripts/interop.sh

bench: ## the benchmarks, beside their peers; BENCH="-quick -rows start" for a part
	$(GO) run ./internal/bench $(BENCH)

bench-record: ## the same, and into docs/bench.md
	$(GO) run ./internal/bench -record docs/bench.md $(BENCH)

docs: ## the option reference, from the declarations
	$(GO) test -count=1 -run TestOptionReference . -update

# The launcher's core, the drain of a worker's services, that of a web server, and the rule by which its
# connections move. A schedule that fails is played again by -schedules 1 -seed N of the package it names.
SCHEDULES ?= 100000
schedules: ## random schedules of the core, the worker's drain and the connection rule, without the race detector
	$(GO) test -count=1 -timeout 60m -run '^(TestSchedules|TestGroupKeepsItsPromises|TestDrainSchedules|TestRuleOfMoving)$$' \
		./internal/core ./service ./web -schedules $(SCHEDULES)

soak: schedules ## the long runs, half an hour as root, after the schedules; SOAK="-share 20 -parts stop" for a part
	$(GO) run ./internal/soak $(SOAK)

soak-record: schedules ## the same, and into docs/soak.md
	$(GO) run ./internal/soak -record docs/soak.md $(SOAK)

check: format vet staticcheck tidy policy cross ## all that needs no running: style, vet, staticcheck, policies, other systems

format:
	@out=$$("$$($(GO) env GOROOT)/bin/gofmt" -s -l .) || exit 1; \
	if [ -n "$$out" ]; then echo "not formatted by gofmt -s:"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet $(TAGS) ./...

staticcheck:
	$(STATICCHECK) $(TAGS) ./...

tidy:
	$(GO) mod tidy -diff

# The import policy, the licence headers and the pages that are made of the code: tests of the root package.
policy:
	$(GO) test -count=1 .

cross:
	GOOS=darwin $(GO) vet $(TAGS) ./...
	GOOS=darwin $(GO) build ./...
	GOOS=windows $(GO) vet $(TAGS) ./...
	GOOS=windows $(GO) build ./...

clean: ## what make build made
	rm -rf bin
