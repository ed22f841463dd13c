# Sourced by the scripts: says what it does, installs what is missing.
# shellcheck shell=bash
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

step() { printf '\n\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

apt_lists() {
  [ -n "${APT_LISTS_FRESH:-}" ] || as_root apt-get update -qq
  APT_LISTS_FRESH=1
}

# install PACKAGE... : Debian packages, only if one of them is missing; one script at a time
install() {
  local missing=() p
  for p in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null || die "please install: ${missing[*]} (no apt-get on this system)"
  local lock
  exec {lock}>"${TMPDIR:-/tmp}/hrvd-install-$(id -un).lock"
  flock "$lock"
  step "installing ${missing[*]}"
  apt_lists
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "could not install ${missing[*]}"
  exec {lock}>&-
}

# new_enough COMMAND : whether a cargo is 1.85 or newer
new_enough() {
  local version
  version=$("$1" --version 2>/dev/null | sed -n 's/^cargo \([0-9]*\.[0-9]*\).*/\1/p')
  [ -n "$version" ] && [ "$(printf '1.85\n%s\n' "$version" | sort -V | head -1)" = 1.85 ]
}

need_rust() {
  [ -x "$HOME/.cargo/bin/cargo" ] && PATH="$HOME/.cargo/bin:$PATH"
  new_enough cargo && return 0
  # Debian 13 has a new enough one; Debian 12 has it under another name
  local candidate
  command -v apt-get >/dev/null || die "Rust 1.85 or newer is needed"
  apt_lists
  candidate=$(apt-cache policy cargo 2>/dev/null | sed -n 's/ *Candidate: \([0-9]*\.[0-9]*\).*/\1/p')
  if [ -n "$candidate" ] && [ "$(printf '1.85\n%s\n' "$candidate" | sort -V | head -1)" = 1.85 ]; then
    install cargo rustc
  else
    install cargo-web rustc-web
  fi
  hash -r
  new_enough cargo || new_enough /usr/bin/cargo || die "Rust 1.85 or newer is needed"
  new_enough cargo || PATH="/usr/bin:$PATH"
}
