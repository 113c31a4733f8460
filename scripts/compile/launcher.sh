#!/bin/sh
# weir @VERSION@ for @TARGET@: a small script in front of the Deno runtime and the program.
# It unpacks both once into the user's cache and runs them from there. The rest of this file is binary.

name='@NAME@'
fail() { printf 'weir: error: %s\n' "$1" >&2; exit 1; }
mine() { [ -d "$1" ] && [ -O "$1" ] && [ ! -h "$1" ]; }
ready() { mine "$1" && mine "$1/$name" && [ -x "$1/$name/deno" ] && [ -f "$1/$name/weir.mjs" ]; }

# Where it may be: the first of these that belongs to this user, and to nobody else.
case ${XDG_CACHE_HOME-} in /*) cache=$XDG_CACHE_HOME ;; *) cache=${HOME:+$HOME/@CACHE@} ;; esac
root=${cache:+$cache/weir}
if ! ready "$root"; then
  [ -z "$root" ] || (umask 077 && mkdir -p "$cache" "$root") 2>/dev/null
  if ! { mine "$root" && [ -w "$root" ]; }; then
    root=${TMPDIR:-/tmp}/weir-$(id -u)
    [ -d "$root" ] || mkdir -m 700 "$root" || fail "no directory to unpack into; set XDG_CACHE_HOME"
    mine "$root" || fail "$root belongs to somebody else; set XDG_CACHE_HOME to a directory of your own"
  fi
fi

# Part of this file: from a byte on (counted from 1), so many bytes.
part() { tail -c "+$1" "$file" 2>/dev/null | head -c "$2"; }
sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
# In a directory of its own first; each file then moves into its place at once, whoever else does the same just now.
unpack() (
  umask 077
  new=$(mktemp -d "$root/.new.XXXXXX") || fail "cannot unpack into $root"
  trap 'rm -rf "$new"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  if command -v sha256sum >/dev/null || command -v shasum >/dev/null; then
    case $(part @PAYLOAD_AT@ @PAYLOAD_SIZE@ | sha256) in
      @SHA256@*) ;;
      *) fail "$file is damaged: download it again" ;;
    esac
  fi
  part @PROGRAM_AT@ @PROGRAM_SIZE@ | gzip -dc >"$new/weir.mjs" &&
    part @DENO_AT@ @DENO_SIZE@ | gzip -dc >"$new/deno" &&
    chmod 700 "$new/deno" && mkdir -p "$root/$name" &&
    mv -f "$new/weir.mjs" "$root/$name/weir.mjs" && mv -f "$new/deno" "$root/$name/deno" ||
    fail "cannot unpack into $root"
)
if ! ready "$root"; then
  file=$0
  [ -r "$file" ] || fail "cannot read $file, which is needed to unpack it"
  unpack || exit
fi

# The program removes what is set for it alone, so that commands which it starts do not see it.
WEIR_UNSET=WEIR_UNSET
if [ -z "${DENO_DIR+set}" ]; then export DENO_DIR="$root/deno"; WEIR_UNSET=$WEIR_UNSET,DENO_DIR; fi
if [ -z "${DENO_NO_UPDATE_CHECK+set}" ]; then
  export DENO_NO_UPDATE_CHECK=1
  WEIR_UNSET=$WEIR_UNSET,DENO_NO_UPDATE_CHECK
fi
export WEIR_UNSET
exec "$root/$name/deno" run @FLAGS@ "--import-map=@IMPORT_MAP@" "$root/$name/weir.mjs" "$@"
exit 126
