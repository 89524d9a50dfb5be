"""Spans and log records of any OpenTelemetry sender: decoded, named as today, redacted, stored once each (OB-3, OB-4)."""
