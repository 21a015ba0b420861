#!/usr/bin/env bash
# Tortures one server with SQLite, and three with PostgreSQL and Redis, and restarts three in turn. Arguments are flags of
# the tests in e2e/torture, and take the place of those below. The last line sums up what must not be: it fails unless
# there is none of it.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
results=$(mktemp)
trap 'rm -f "$results"' EXIT
status=0

run() { # name test flags...
  local name=$1 test=$2
  shift 2
  echo "== $name"
  go test -count 1 -v -timeout 1h -run "^$test\$" ./e2e/torture "$@" | tee /dev/stderr |
    sed -n "s/^[0-9]* accepted, .*/& ($name)/p" >>"$results" || status=1
}

run 'one server with SQLite' TestTorture -kills 20 -clients 100 -rate 200 -duration 3m -outage 20s "$@"
run 'three servers with PostgreSQL and Redis' TestTorture -nodes 3 -kills 20 -clients 100 -rate 200 -duration 4m -outage 30s "$@"
run 'three servers, restarted in turn' TestRollingRestart -rolling 2000 "$@"

echo
cat "$results"
if [[ $(wc -l <"$results") -ne 3 ]]; then
  echo 'not every run came to its end' >&2
  exit 1
fi
awk '{ a += $1; l += $3; d += $5; o += $7 }
  END { printf "%d accepted, %d lost, %d doubled, %d out of order\n", a, l, d, o; exit (l + d + o > 0) }' "$results" || status=1
exit $status
