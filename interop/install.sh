#!/usr/bin/env bash
# Installs what versions.sh names below $1: Python environments and npm packages. Complete parts
# are left alone; another set of versions gets another folder.
set -euo pipefail
cd "$(dirname "$0")"
source ./versions.sh
into=$1
mkdir -p "$into"

# part NAME VERSIONS COMMAND...: runs COMMAND in a folder of its own, once, and links NAME to it.
part() {
  local name=$1 versions=$2 folder
  folder=$into/$name-$(sha256sum <<<"$versions" | cut -c1-12)
  shift 2
  if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    (cd "$folder" && "$@" $versions)
    touch "$folder/complete"
  fi
  ln -sfn "$folder" "$into/$name"
}

python_environment() {
  python3 -m venv .
  ./bin/pip install --quiet --disable-pip-version-check "$@"
}

# The public vectors are in the source distributions alone.
source_distributions() {
  python3 -m venv venv
  ./venv/bin/pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: "$@"
  for archive in *.tar.gz; do tar xzf "$archive"; done
}

npm_packages() {
  npm install --silent --no-audit --no-fund --prefix . "$@"
}

part python-sdk-1 "$PYTHON_SDK_1" python_environment
part python-sdk-2 "$PYTHON_SDK_2" python_environment
part python-reference "$PYTHON_REFERENCE" python_environment
part python-oracle "$PYTHON_ORACLE" python_environment
part public-vectors "$PUBLIC_VECTORS" source_distributions
part npm "$NPM_PACKAGES" npm_packages
part npm-conformance "$NPM_CONFORMANCE" npm_packages
part npm-conformance-latest "$NPM_CONFORMANCE_LATEST" npm_packages
part npm-clients "$NPM_CLIENTS" npm_packages
part npm-wasm "$NPM_WASM" npm_packages
