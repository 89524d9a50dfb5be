"""Whether telemetry is what the catalogue says it is (OB-5, PC-5)."""
