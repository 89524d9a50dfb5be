#!/bin/sh
# What some tests need of Debian, installed where it may be: a browser, a pooler, a PostgreSQL that checks
# the bodies of functions. Tests whose part is missing are skipped with a word. `debian.sh chromium`: that one only.
set -eu
parts="chromium:/usr/bin/chromium
pgbouncer:/usr/sbin/pgbouncer
postgresql-15-plpgsql-check:/usr/lib/postgresql/15/lib/plpgsql_check.so"
missing=""
for part in $parts; do
    name=${part%%:*}
    case " ${*:-$name} " in *" $name "*) test -e "${part#*:}" || missing="$missing $name" ;; esac
done
test -z "$missing" && exit 0
if ! command -v apt-get >/dev/null 2>&1 || test "$(id -u)" -ne 0; then
    echo "missing, so some tests are skipped:$missing; install with: sudo apt-get install$missing" >&2
    exit 0
fi
log=$(mktemp)
apt-get update >"$log" 2>&1 || true
for name in $missing; do
    if ! apt-get install --yes --no-install-recommends "$name" >>"$log" 2>&1; then
        echo "$name could not be installed, so its tests are skipped; apt-get said: $(tail -n 1 "$log")" >&2
    fi
done
rm -f "$log"
