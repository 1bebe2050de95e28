#!/usr/bin/env bash
# Installs what the programs in examples/languages need, from Debian's packages, and says which languages it could install.
#
#     sudo bash tools/install_languages.sh              # all of them
#     sudo bash tools/install_languages.sh go rust      # some of them, by the names of their folders
#
# Each language is installed separately: if one fails, the others follow. Packages that are there already are not upgraded.
# The names of the installed languages are written to build/languages.txt. If this file exists, tests/languages fails for a
# language in it that cannot be run; without it, such a language is skipped. The exit status is 1 if a language is missing.
set -uo pipefail
cd "$(dirname "$0")/.."

# the folder in examples/languages, and the packages of Debian 12; tests/languages reads this table too
languages='
c        gcc libc6-dev libssl-dev zlib1g-dev
cpp      g++ libssl-dev
java     default-jdk-headless
scala    scala default-jdk-headless
go       golang-go
csharp   mono-mcs mono-runtime
nodejs   nodejs
r        r-base-core r-cran-digest
matlab   octave
ruby     ruby
rust     cargo librust-flate2-dev librust-sha2-dev
lua      lua5.4 lua-luaossl
python   python3
browser  chromium chromium-driver
'
list=build/languages.txt

export DEBIAN_FRONTEND=noninteractive
apt-get update -q || exit 1
mkdir -p build
touch "$list"
missing=()
for wanted in "$@"; do
    grep -q "^$wanted " <<< "$languages" || missing+=("$wanted: there is no such language in this script")
done
while read -r language packages; do
    [ -n "$language" ] || continue
    [ $# -eq 0 ] || [[ " $* " == *" $language "* ]] || continue
    sed -i "/^$language\$/d" "$list"
    # shellcheck disable=SC2086 -- the packages are several words
    if apt-get install -q -y --no-install-recommends --no-upgrade $packages < /dev/null; then
        echo "$language" >> "$list"
    else
        missing+=("$language: apt-get install $packages")
    fi
done <<< "$languages"

echo "installed: $(tr '\n' ' ' < "$list")"
[ ${#missing[@]} -eq 0 ] || { printf 'not installed: %s\n' "${missing[@]}"; exit 1; }
