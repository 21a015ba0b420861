#!/usr/bin/env bash
# Runs all linters, also when one of them complains. `make lint` installs the TypeScript compiler for it first.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0
complain() {
  echo "lint: $1" >&2
  status=1
}

files=$(git ls-files --cached --others --exclude-standard --deduplicate -- '*.go' | while read -r file; do [[ -f $file ]] && echo "$file"; done)
unformatted=$(gofmt -l $files) || complain 'gofmt failed'
[[ -z $unformatted ]] || complain $'not formatted by gofmt:\n'"$unformatted"

go vet work || complain 'go vet complained'

# The tool has a module of its own, so that neither module of the workspace depends on it.
if staticcheck=$(cd tools && GOWORK=off go tool -n staticcheck); then
  "$staticcheck" ./... ./signalr/... || complain 'staticcheck complained'
else
  complain 'staticcheck did not build'
fi

npm --prefix web/browser run --silent typecheck || complain 'the TypeScript compiler complained'

exit $status
