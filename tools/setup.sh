#!/usr/bin/env bash
# Installs the Debian packages that Innerloop is built from; only those that are missing.
set -euo pipefail

readonly packages=(
  g++ cmake ninja-build git
  libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libfmt-dev libspdlog-dev libstb-dev
  libopencv-ml-dev
  libgtest-dev libbenchmark-dev
)

usage() {
  cat <<'TEXT'
Usage: tools/setup.sh [--help]

Installs what Innerloop is built from, as Debian packages, and only what is missing. It uses apt-get as root, or by sudo
where that asks for no password; otherwise it prints the line to type and exits with 1. Nothing else is changed.

Example: tools/setup.sh && tools/test.sh
TEXT
}

say() { printf 'setup: %s\n' "$*" >&2; }

case "${1-}" in
  '') ;;
  -h | --help) usage; exit 0 ;;
  *) say "unknown argument '$1'; see tools/setup.sh --help"; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "this system has no apt; install the counterparts of these Debian packages yourself and build with cmake:"
  say "  ${packages[*]}"
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status="$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)"
  [[ $status == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  say "all ${#packages[@]} packages are installed"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if command -v sudo >/dev/null && sudo --non-interactive true 2>/dev/null; then
    as_root=(sudo --non-interactive)
  else
    say "missing packages: ${missing[*]}"
    say "this needs root; type: sudo apt-get update && sudo apt-get install --yes ${missing[*]}"
    exit 1
  fi
fi

say "installing ${missing[*]}"
as_root+=(env DEBIAN_FRONTEND=noninteractive)
if ! "${as_root[@]}" apt-get update --quiet >&2 ||
  ! "${as_root[@]}" apt-get install --yes --quiet --no-install-recommends "${missing[@]}" >&2; then
  say "apt-get failed (its messages stand above); once it works, type: apt-get install --yes ${missing[*]}"
  exit 1
fi
say "installed ${#missing[@]} packages"
