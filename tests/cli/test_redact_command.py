"""`aicp redact`: JSON lines in, JSON lines out; what is no JSON is named and never passed on (OB-3)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MAIL = "kim@acme.example"


def run(folder: Path, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AICP_", "DATABASE_URL"))}
    return subprocess.run(
        [sys.executable, "-m", "aicp.cli.main", "redact", *words], cwd=folder, input=given, env=env, capture_output=True, check=False
    )  # fmt: skip


def test_lines_go_in_and_come_out_redacted(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(f'{{"to": "{MAIL}"}}\n\n["x", 1]\n')
    for done in (
        run(tmp_path, str(file)),
        run(tmp_path, "-", given=file.read_bytes()),
        run(tmp_path, given=file.read_bytes()),
    ):
        assert done.returncode == 0, done.stderr
        first, second = [json.loads(line) for line in done.stdout.splitlines()]
        assert first["to"].startswith("[EMAIL:")
        assert second == ["x", 1]
    assert not (tmp_path / ".aicp").exists()


def test_bad_lines_are_named_and_left_out(tmp_path: Path) -> None:
    done = run(tmp_path, given=b'{"a": 1}\nto kim@acme.example\n{"b": 2}\n{"c": \n')
    assert done.returncode == 2
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"a": 1}, {"b": 2}]
    said = done.stderr.decode()
    assert "line 2 is no JSON" in said
    assert "line 4 is no JSON" in said
    assert "2 lines are no JSON" in said
    assert "acme" not in said


def test_explain_says_where_and_never_what(tmp_path: Path) -> None:
    done = run(
        tmp_path, "--explain", given=json.dumps({"x": [f"to {MAIL}"], "token": "hunter2"}).encode()
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(f["line"], f["pointer"], f["start"], f["end"], f["kind"]) for f in found] == [
        (1, "/x/0", 3, 19, "EMAIL"), (1, "/token", 0, 7, "SECRET"),
    ]  # fmt: skip
    assert b"acme" not in done.stdout + done.stderr


def test_regions_tenants_content_and_the_key_are_heard(tmp_path: Path) -> None:
    line = json.dumps({"n": "reach 030 901820 today", "prompt": f"to {MAIL}"}).encode()
    plain = json.loads(run(tmp_path, given=line).stdout)
    told = json.loads(
        run(tmp_path, "--region", "de", "--content", "--tenant", "t", given=line).stdout
    )
    assert "901820" in plain["n"]
    assert plain["prompt"] == "[CONTENT_DROPPED]"
    assert "[PHONE:" in told["n"]
    assert "[EMAIL:" in told["prompt"]
    (tmp_path / ".aicp").mkdir()
    (tmp_path / ".aicp/redaction.key").write_text("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")
    assert run(tmp_path, given=line).stdout == run(tmp_path, given=line).stdout
    (tmp_path / ".aicp/redaction.key").write_text("short")
    broken = run(tmp_path, given=line)
    assert broken.returncode == 2
    assert b"AICP_REDACTION_KEY is not 32 bytes" in broken.stderr


def test_a_missing_file_and_a_closed_pipe_are_no_tracebacks(tmp_path: Path) -> None:
    done = run(tmp_path, "none.jsonl")
    assert done.returncode == 2
    assert b"none.jsonl cannot be read" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("big", ["many lines", "one line"])
def test_memory_stays_flat_whatever_comes_in(tmp_path: Path, big: str) -> None:
    """The peak of a child grows with the longest line that is held, not with the input."""
    line = json.dumps({"note": "nothing to see in here", "n": 7}).encode() + b"\n"
    given = line * 100_000 if big == "many lines" else b'"' + b"a" * 40_000_000 + b'"\n' + line
    peaks = []
    for data in (line, given):
        probe = "import resource,subprocess,sys;d=sys.stdin.buffer.read();p=subprocess.run([sys.executable,'-m','aicp.cli.main','redact'],input=d,stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL);print(p.returncode,resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        said = subprocess.run(
            [sys.executable, "-c", probe], cwd=tmp_path, input=data, capture_output=True, check=True
        ).stdout.split()
        peaks.append(int(said[1]) / 1024)
        assert int(said[0]) == (2 if data is given and big == "one line" else 0)
    assert peaks[1] - peaks[0] < 60, peaks  # MiB
