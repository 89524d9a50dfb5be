#!/bin/sh
# The browser tests and the screenshots need Debian's chromium: installed here when it is missing.
set -eu
test -x /usr/bin/chromium && exit 0
if ! command -v apt-get >/dev/null 2>&1 || test "$(id -u)" -ne 0; then
    echo "chromium is missing, so browser tests are skipped; install it with: sudo apt-get install chromium" >&2
    exit 0
fi
log=$(mktemp)
if { apt-get update && apt-get install --yes --no-install-recommends chromium; } >"$log" 2>&1; then
    rm -f "$log"
else
    echo "chromium could not be installed, so browser tests are skipped; apt-get said: $(tail -n 1 "$log")" >&2
fi
