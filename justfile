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

# Judges every file of the shared vectors and writes docs/vectors.md.
vectors:
    cargo run -p cmcp-evidence --example vectors -- ../shared/vectors docs/vectors.md

# A call through the gateway beside one without it: ratios, latency, CPU, memory.
load *arguments: release tools
    python3 bench/run.py {{arguments}}

# SDK clients and reference servers, public verifiers, kill -9.
interop: release tools
    python3 interop/sdks.py
    python3 interop/reference.py
    python3 interop/crash.py

# The verifier as WebAssembly modules: target/wasm32-unknown-unknown/wasm/examples/*.small.wasm
wasm: tools
    cargo build --profile wasm --target wasm32-unknown-unknown -p cmcp-web --examples
    cargo build -p cmcp-evidence --example vectors
    python3 interop/wasm.py

# Micro-benchmarks: decision, canonical JSON, append, inspect, verify.
bench *arguments:
    cargo bench {{arguments}}

[private]
release:
    cargo build --release --bins

[private]
tools:
    interop/install.sh "${CMCP_CHECK_TOOLS:-$HOME/.cache/cmcp-check}"

# Fuzzes every parser; the corpus begins with the captured vectors. `just fuzz --seconds 600 appraise`
fuzz *arguments:
    python3 interop/fuzz.py {{arguments}}

# Hours of it: no panic, nothing that takes a second, no allocation beyond 64 MiB.
soak:
    cargo nextest run --release --package cmcp-evidence --run-ignored all -E "test(b01)"
    python3 interop/fuzz.py --seconds 3600

# The tests of evidence, run once for each check as if it never failed; what no test notices is printed.
mutants *arguments:
    python3 interop/blind_checks.py {{arguments}}
