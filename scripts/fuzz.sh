#!/usr/bin/env bash
# Runs every fuzz target of the repository for FUZZTIME each: go test takes only one at a time.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0
while IFS=: read -r file name; do
  echo "--- $name in $(dirname "$file")"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-10s}" "./$(dirname "$file")" || status=1
done < <(git grep --untracked --no-color -HoE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/:func /:/')
exit $status
