"""PC-4, RB-3: backups and connections from the command line, on a system that runs."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import httpx
import psycopg

from aicp.kernel import postgres
from cli.system import DELEGATE, System


def test_a_backup_is_made_drilled_and_shown_by_health(system: System, tmp_path: Path) -> None:
    made = system.run("db", "backup", "--to", str(tmp_path), "--json").json
    assert Path(made["file"]).stat().st_size == made["size_bytes"]
    drilled = system.run("db", "restore-drill", "--to", str(tmp_path))
    assert drilled.code == 0, drilled
    assert "each as it was backed up" in drilled.out
    health = httpx.get(f"{system.client().place.url}/health", trust_env=False).json()
    assert health["backups"]["backup"]["ok"]
    assert health["backups"]["drill"]["at"] > health["backups"]["backup"]["at"]
    assert 0 < health["connections"]["percent"] < 80
    cluster = postgres.running(system.data)
    assert cluster is not None
    with psycopg.connect(cluster.owner_url) as conn:
        kinds = {
            row[0] for row in conn.execute("select event_type from telemetry_events").fetchall()
        }
    assert {"backup_completed", "restore_drill_completed"} <= kinds


def test_a_damaged_backup_fails_the_drill_and_health_says_so(
    system: System, tmp_path: Path
) -> None:
    file = Path(system.run("db", "backup", "--to", str(tmp_path), "--json").json["file"])
    file.write_bytes(file.read_bytes()[:-7])
    said = system.run("db", "restore-drill", str(file), "--json")
    assert said.code == 1
    assert said.json["problems"] == [
        f"{file.name} is not the file that was written: its hash differs"
    ]
    health = httpx.get(f"{system.client().place.url}/health", trust_env=False).json()
    assert health["backups"]["drill_failed"]["ok"] is False
    assert system.run("db", "restore-drill", "--to", str(tmp_path / "none")).code == 3


def test_connections_that_are_stuck_are_shown_and_ended_only_when_asked(system: System) -> None:
    cluster = postgres.running(system.data)
    assert cluster is not None
    with closing(psycopg.connect(cluster.url, application_name="aicp:forgotten")) as holder:
        holder.execute("select pg_sleep(1.1)")
        pid = holder.info.backend_pid
        looked = system.run(
            "db", "pool", "--clear", "--dry-run", "--older-than", "1", "--json"
        ).json
        assert (looked["stuck"], looked["ended"]) == ([pid], [])
        asked = system.run("db", "pool", "--clear", "--older-than", "1")
        assert (asked.code, "--yes" in asked.err) == (2, True)
        cleared = json.loads(
            system.run("db", "pool", "--clear", "--older-than", "1", "--yes", "--json").out
        )
        assert cleared["ended"] == [pid]
    left = system.run("db", "pool", "--json").json
    assert pid not in [one["pid"] for one in left["sessions"]]
    assert {"aicp:server", "aicp:worker"} <= {one["name"] for one in left["sessions"]}


def test_the_audit_trail_is_sealed_exported_and_verified(system: System, tmp_path: Path) -> None:
    """OP-5: from the command line, on a system that runs; the export needs nothing else."""
    system.give(system.table("audited.csv"))
    assert system.run("kill", "pull", "--toolkit", "nothing", "--reason", "a test").code == 0
    assert system.run("audit", "seal").code == 0
    shown = system.run("audit", "show")
    assert (shown.code, "kill_switch_pulled" in shown.out) == (0, True)
    folder = tmp_path / "export"
    assert system.run("audit", "export", "-o", str(folder)).code == 0
    assert system.run("audit", "export", "-o", str(folder)).code == 2  # never over another one
    assert (
        system.run(
            "audit", "verify", str(folder), "--key", str(system.data / "audit/audit.pub")
        ).code
        == 0
    )
    assert system.run("audit", "verify").code == 0
    assert list((system.data / "audit").glob("seal-*.json"))
    assert (
        system.run(
            "kill", "lift", "--toolkit", "nothing", "--reason", "done", as_email=DELEGATE
        ).code
        == 0
    )


def test_the_dashboards_are_there_as_text_and_as_json(system: System) -> None:
    """OB-1: what was recorded shows, what nothing measures says so, and a breach is an exit code."""
    system.give(system.table("dashed.csv"))
    told = system.run("dash", "mission-lifecycle", "--json").json
    panels = {one["panel"]: one for one in told["panels"]}
    assert panels["started"]["value"] >= 1
    assert panels["undo"]["state"] in ("thin", "silent", "ok", "breach")
    shown = system.run("dash")
    assert shown.code in (0, 1)
    assert "uncollected" in shown.out
    assert "Failed calls of the Executor" in shown.out
    assert len(system.run("dash", "--json").json) == 4
    assert system.run("dash", "nothing").code == 3


def test_the_spot_audit_runs_against_the_running_system(system: System) -> None:
    """OB-5: from the command line; a report is both modes, and its summary goes onto the issue."""
    system.give(system.table("audited-spot.csv"))
    told = system.run("telemetry", "audit", "--mode", "spot", "--minutes", "60", "--json")
    assert told.code == 0, told
    assert (told.json["mode"], told.json["findings"]) == ("spot", [])
    assert told.json["checked"]["canary"] == 3
    both = system.run("telemetry", "audit", "--mode", "report", "--minutes", "60", "--json")
    assert both.json["checked"].keys() >= {"sites", "schema", "canary"}
    assert system.run("telemetry", "audit", "--mode", "spot", as_email=DELEGATE).code == 0
