#!/usr/bin/env python3
"""The playbook's name for `aicp telemetry audit`: python scripts/audit_telemetry_events.py --mode check"""

import sys

from aicp.cli.main import main

main(["telemetry", "audit", *sys.argv[1:]])
