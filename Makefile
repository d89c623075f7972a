# One word per habit: "make" alone lists them.
.DEFAULT_GOAL := help
.PHONY: help run webshop bin/otelprof compose test lint cover race bench bench-server fuzz fmt proto web vuln setup jaeger collector telemetrygen clean

GO ?= go
# What make run passes to the server and make webshop to the example, such as ARGS="--rate 500 --duration 10s";
# "make webshop ARGS=--help" and "make run ARGS=--help" list all.
ARGS ?=
# How long make fuzz spends on each target.
FUZZTIME ?= 20s

LIBRARY := ./core/... ./otelprof/... ./report/... ./exporter/...
# "work" is the go command's name for all packages of all modules in go.work.
WORK := work

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: bin/otelprof ## the server with demonstration traffic: it says what to open; Ctrl-C ends it
	@bin/otelprof serve --data otelprof-data --demo 200 $(ARGS)

webshop: ## the library alone: an example web shop under load, with its live profile; Ctrl-C ends it
	$(GO) build -o bin/webshop ./examples/webshop
	@bin/webshop $(ARGS)

compose: ## the webshop with Jaeger, Prometheus and Grafana in containers, from images of the Internet; Ctrl-C ends it
	docker compose up --build
	docker compose down

test: lint cover race ## everything that proves the library; needs no root

lint: bin/staticcheck ## gofmt, vet and staticcheck over all modules
	@files=$$(gofmt -l .) && test -z "$$files" || { echo "not formatted, run make fmt: $$files"; exit 1; }
	$(GO) vet $(WORK)
	bin/staticcheck $(WORK)
	@if test -d server/web/node_modules; then cd server/web && npx --no-install tsc --noEmit && npx --no-install biome lint src bench test; \
	else echo "the page's sources are not looked at: run npm ci --prefix server/web"; fi
	cd tools && GOWORK=off $(GO) run ./protogen -check -out ../server/internal/jaeger/gen

cover: ## the library's tests without the race detector; coverage of each package must be above 90 %
	$(GO) test -coverprofile=coverage.out $(LIBRARY)
	$(GO) run ./internal/covergate -above 90 -profile coverage.out

race: ## all tests of all modules with the race detector, those named ConcurrentSafe 100 times
	$(GO) test -race -run ConcurrentSafe -count 100 $(LIBRARY)
	$(GO) test -race -timeout 20m $(WORK)

bench: ## what the library costs beside its peers, measured on this machine, into BENCHMARKS.md
	$(GO) run ./bench

bench-server: ## what the server costs, beside those peers that bin has, measured on this machine, into server/BENCHMARKS.md
	$(GO) run ./server/bench

fuzz: ## every fuzz target of every module for FUZZTIME (20s) each
	@pkgs=$$($(GO) list $(WORK)) || exit 1; \
	for pkg in $$pkgs; do \
		found=$$($(GO) test -list '^Fuzz' $$pkg) || { echo "$$found"; exit 1; }; \
		for target in $$(echo "$$found" | grep '^Fuzz'); do \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg || exit 1; \
		done; \
	done

fmt: ## format all Go files
	gofmt -w .

proto: ## generate the Go code of Jaeger's gRPC services again
	cd tools && GOWORK=off $(GO) run ./protogen -out ../server/internal/jaeger/gen

web: bin/esbuild ## bundle the page of the server into server/internal/web/dist; needs npm ci --prefix server/web
	cd server/web && sh build.sh ../../bin/esbuild ../internal/web/dist

# govulncheck exits with 3 when it found something and with 1 when it could not look.
vuln: bin/govulncheck ## known vulnerabilities in what the library calls, if the database can be reached
	@out=$$(bin/govulncheck ./... 2>&1); code=$$?; echo "$$out"; \
	case "$$code $$out" in \
		"1 "*"fetching vulnerabilities"*) echo "The vulnerability database could not be reached: NOTHING WAS CHECKED." ;; \
		*) exit $$code ;; \
	esac

# gcc, node and npm may come from elsewhere than Debian, whose packages would then conflict: installed is what is missing.
setup: ## install what the tests need besides Go (Debian, as root): gcc, a browser, node, an emulator of arm64, Prometheus
	apt-get update
	apt-get install --yes --no-install-recommends chromium qemu-user-static prometheus \
		$$(command -v gcc >/dev/null || echo gcc libc6-dev) \
		$$(command -v node >/dev/null || echo nodejs) \
		$$(command -v npm >/dev/null || echo npm)
	npm ci --prefix report/html/browsertest
	npm ci --prefix server/web
	npm ci --ignore-scripts --prefix server/blackbox/jsclient

# Peers of the integration tests and of the benchmark. Once built they are kept until another version is pinned, and -trimpath makes the
# compiler's cache of use to every folder that the repository lies in.
jaeger: bin/jaeger ## build the Jaeger that integration tests and bench-server run, into bin; takes minutes once

collector: bin/collector ## build the OpenTelemetry Collector that integration tests and bench-server run, into bin

telemetrygen: bin/telemetrygen ## build the Collector's generator of telemetry that a test runs, into bin

clean: ## remove what these commands made
	rm -rf bin coverage.out webshop-profile otelprof-data

bin/otelprof:
	$(GO) build -o $@ ./server/cmd/otelprof

# The tools live in a module of their own outside go.work: see tools/go.mod.
bin/staticcheck: tools/go.mod tools/go.sum
	cd tools && GOWORK=off $(GO) build -o ../$@ honnef.co/go/tools/cmd/staticcheck

bin/esbuild: tools/go.mod tools/go.sum
	cd tools && GOWORK=off $(GO) build -trimpath -o ../$@ github.com/evanw/esbuild/cmd/esbuild

bin/govulncheck: tools/go.mod tools/go.sum
	cd tools && GOWORK=off $(GO) build -o ../$@ golang.org/x/vuln/cmd/govulncheck

bin/jaeger: tools/peers/go.mod tools/peers/go.sum
	cd tools/peers && GOWORK=off $(GO) build -trimpath -ldflags='-s -w' -o ../../$@ github.com/jaegertracing/jaeger/cmd/jaeger

bin/collector: tools/peers/go.mod tools/peers/go.sum tools/peers/collector/main.go
	cd tools/peers && GOWORK=off $(GO) build -trimpath -ldflags='-s -w' -o ../../$@ ./collector

bin/telemetrygen: tools/peers/telemetrygen/go.mod tools/peers/telemetrygen/go.sum
	cd tools/peers/telemetrygen && GOWORK=off $(GO) build -trimpath -ldflags='-s -w' -o ../../../$@ \
		github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen
