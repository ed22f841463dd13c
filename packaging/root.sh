# Sourced by scripts/package: the Debian 12 root that packages are built in, and what runs inside it.
# shellcheck shell=bash

# Its compiler, its glibc 2.36 and the libraries of all three architectures come from one place: Debian 12 carries Rust
# 1.85 as rustc-web, with the standard library for arm64 and armhf. `main` only, so that all architectures have the
# very same versions.
ROOT_PACKAGES=(
  build-essential pkg-config rustc-web cargo-web debhelper lintian man-db groff file xz-utils python3
  libdbus-1-dev systemd
)
FOREIGN_PACKAGES=(
  libstd-rust-web-dev:arm64 libstd-rust-web-dev:armhf gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf
  libc6-dev:arm64 libc6-dev:armhf libdbus-1-dev:arm64 libdbus-1-dev:armhf qemu-user-static
)

debian_mirror() { # the archive that apt on this machine uses
  apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's/^Debian|Debian|//p' | head -1
}

make_root() { # DIR [all]: makes it if it is not there
  local dir=$1 architectures=amd64 list=("${ROOT_PACKAGES[@]}") mirror part
  if [ "${2:-}" = all ]; then
    architectures=amd64,arm64,armhf
    list+=("${FOREIGN_PACKAGES[@]}")
  fi
  [ -e "$dir/.whole" ] && return 0
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { echo "apt on this machine knows no Debian archive" >&2; return 1; }
  part=$dir.part
  rm -rf "$dir" "$part"
  step "a Debian 12 root for $architectures in $dir (one to four minutes, once)"
  unshare --mount mmdebstrap --quiet --mode=root --variant=minbase --format=directory --architectures="$architectures" \
    --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --include="$(IFS=,; echo "${list[*]}")" bookworm "$part" "deb $mirror bookworm main" || return 1
  rm -rf "$part"/var/lib/apt/lists/* "$part"/var/cache/apt/archives/*
  touch "$part/.whole"
  mv "$part" "$dir"
}

# inside DIR "SRC:DST ..." COMMAND... : in namespaces of its own, without a network; nothing stays mounted, nothing keeps
# running. Variables in KEEP are passed on.
inside() {
  local dir=$1 binds=$2
  shift 2
  DIR=$dir BINDS=$binds unshare --mount --propagation private --pid --net --fork --kill-child bash -euc '
    mkdir -p "$DIR/proc" "$DIR/dev" "$DIR/tmp"
    mount -t proc proc "$DIR/proc"
    mount --rbind /dev "$DIR/dev"
    for b in $BINDS; do mkdir -p "$DIR${b#*:}"; mount --bind "${b%%:*}" "$DIR${b#*:}"; done
    exec chroot "$DIR" /usr/bin/env -i HOME=/root TERM=dumb LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin '"${KEEP:-}"' "$@"
  ' inside "$@"
}
