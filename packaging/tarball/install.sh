#!/bin/sh
# Installs hrvd on a Linux with systemd, without a package manager. Once more for an upgrade.
#   sudo ./install.sh            program, service, manual, completions; what was edited stays
#   sudo ./install.sh --remove   takes them away; /etc/hrvd and /var/lib/hrvd stay
# DESTDIR=/a/directory stands for another system: files only, nothing is started.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
to=${DESTDIR:-}
own=usr/share/doc/hrvd/installed-files
list=$to/$own
config=etc/hrvd/hrvd.toml

die() { printf 'hrvd: %s\n' "$1" >&2; exit 1; }
live() { [ -z "$to" ]; }
away() { # FILE: and the directories that are empty then
  rm -f "$to/$1"
  (cd "$to/" && rmdir -p "$(dirname "$1")" 2>/dev/null) || true
}

case "${1:-}" in
'' | --remove) ;;
*) die "usage: ./install.sh [--remove]" ;;
esac
if live; then
  [ "$(id -u)" = 0 ] || die "this needs root: sudo ./install.sh${1:+ $1}"
  if command -v dpkg >/dev/null && dpkg -S /usr/bin/hrvd >/dev/null 2>&1; then
    die "the Debian package is installed here; upgrade or remove that one"
  fi
fi

if [ "${1:-}" = --remove ]; then
  [ -e "$list" ] || die "nothing of this kind is installed"
  if live; then systemctl disable --now hrvd.service || true; fi
  # the list itself is the last line
  while IFS= read -r file; do
    [ "$file" = "$config" ] || away "$file"
  done <"$list"
  if live; then systemctl daemon-reload; fi
  echo "Removed. Configuration and recordings stay in $to/etc/hrvd and $to/var/lib/hrvd."
  exit 0
fi

"$here/root/usr/bin/hrvd" --version >/dev/null ||
  die "the program does not run here. It was made for $(cat "$here/architecture") and a C library as new as glibc 2.36; nothing was changed"
if live; then
  command -v systemctl >/dev/null || die "no systemd here; nothing was changed"
fi

files=$(cd "$here/root" && find . -type f | sed 's|^\./||' | sort)
before=$(cat "$list" 2>/dev/null || true)
mkdir -p "$(dirname "$list")"
printf '%s\n' "$files" "$own" >"$list.new"
printf '%s\n' "$files" | while IFS= read -r file; do
  target=$to/$file
  mode=644
  [ ! -x "$here/root/$file" ] || mode=755
  if [ "$file" = "$config" ] && [ -e "$target" ] && ! cmp -s "$here/root/$file" "$target"; then
    echo "$target was edited and stays; the one of this version is beside it as hrvd.toml.new."
    target=$target.new
  fi
  # beside and then over it: a program that runs cannot be written to
  mkdir -p "$(dirname "$target")"
  cp "$here/root/$file" "$target.part"
  chmod $mode "$target.part"
  mv -f "$target.part" "$target"
done
mv -f "$list.new" "$list"
# what an older version brought and this one does not
printf '%s\n' "$before" | while IFS= read -r file; do
  [ -z "$file" ] || [ "$file" = "$config" ] || grep -qxF -- "$file" "$list" || away "$file"
done

if live; then
  systemd-sysusers hrvd.conf
  systemd-tmpfiles --create hrvd.conf
  systemctl daemon-reload
  systemctl enable --quiet hrvd.service
  systemctl restart hrvd.service
  echo "hrvd runs. Next: sudo hrvd setup"
fi
