# Shortcuts; ./check needs none of them.

# What CI runs.
check:
    ./check

# The everyday loop.
quick:
    ./check --quick

# All tests; `just test -E 'test(verify)'` for some.
test *arguments:
    cargo nextest run --workspace {{arguments}}

# Dependencies between crates, against ARCHITECTURE.md.
walls:
    cargo nextest run -p cmcp --test walls

# The generated part of docs/.
generate:
    cargo run -p cmcp -- generate

# A call through the gateway beside one without it: ratios, latency, CPU, memory.
load *arguments: release tools
    python3 bench/run.py {{arguments}}

# SDK clients and reference servers, public verifiers, kill -9.
interop: release tools
    python3 interop/sdks.py
    python3 interop/reference.py
    python3 interop/crash.py

# Micro-benchmarks: decision, canonical JSON, append, inspect, verify.
bench *arguments:
    cargo bench {{arguments}}

[private]
release:
    cargo build --release --bins

[private]
tools:
    interop/install.sh "${CMCP_CHECK_TOOLS:-$HOME/.cache/cmcp-check}"
