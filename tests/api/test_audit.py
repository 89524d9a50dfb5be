"""OP-1, OP-5: who may read the audit trail, and that its export is verified without anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aicp.api.audit import seal as seal_route
from aicp.api.audit import trail
from aicp.errors import Forbidden, NotFound
from cli.system import typed
from conftest import Cluster
from flight import Flight, land, take_off


@pytest.fixture
def flown(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[Flight, str]]:
    """A mission in a database of its own: seals are the whole installation's."""
    name = cluster.clone()
    flight = take_off(tmp_path / "alone", cluster.url(name), cluster.owner_url(name))
    mission = flight.to_execute()
    flight.work()
    yield flight, mission
    land(flight)
    cluster.drop(name)


def test_an_owner_reads_their_mission_and_governance_reads_all(flown: tuple[Flight, str]) -> None:
    flight, mission = flown
    sam, gabriela, lee = (flight.people[n] for n in ("sam", "gabriela", "lee"))
    whole = trail(flight.app, gabriela)
    assert {one["subject"] for one in whole["entries"]} >= {mission}
    assert trail(flight.app, sam)["entries"] == whole["entries"]  # analytics reads
    own = trail(flight.app, flight.people["riley"], mission)
    assert {one["subject"] for one in own["entries"]} == {mission}
    for asked in ("", mission):
        with pytest.raises(Forbidden, match="audit trail is for"):
            trail(flight.app, lee, asked)
    with pytest.raises(NotFound):
        trail(flight.app, gabriela, "m-0000000000")
    with pytest.raises(Forbidden):
        seal_route(flight.app, sam)


def test_an_export_is_verified_by_itself_and_each_tampering_is_named(
    flown: tuple[Flight, str], tmp_path: Path
) -> None:
    flight, mission = flown
    gabriela = flight.people["gabriela"]
    assert seal_route(flight.app, gabriela)["chains"] >= 1
    told = trail(flight.app, gabriela)

    def written(name: str, records: list[dict], seals: list[dict]) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
        (folder / "seals.jsonl").write_text("".join(json.dumps(r) + "\n" for r in seals))
        (folder / "tenant.txt").write_text(told["tenant_id"])
        (folder / "audit.pub").write_text(told["key"])
        return folder

    def verified(folder: Path, *more: str) -> tuple[int, list[dict]]:
        said = typed("audit", "verify", str(folder), "--json", *more)
        return said.code, said.json["faults"]

    records, seals = told["entries"], told["seals"]
    assert verified(written("whole", records, seals)) == (0, [])
    edited = [dict(one) for one in records]
    at = next(n for n, one in enumerate(edited) if '"approval_granted"' in one["entry"])
    edited[at]["entry"] = edited[at]["entry"].replace("approval_granted", "approval_rejected")
    code, found = verified(written("edited", edited, seals))
    assert (code, found[0]["chain"], found[0]["seq"]) == (1, mission, records[at]["seq"])
    cut = [one for one in records if one["seq"] < max(r["seq"] for r in records if r["subject"] == mission) or one["subject"] != mission]  # fmt: skip
    code, found = verified(written("cut", cut, seals))
    assert (code, found[0]["chain"]) == (1, "seals")
    other = tmp_path / "other.pub"
    other.write_text("A" * 43 + "=")
    code, found = verified(tmp_path / "whole", "--key", str(other))
    assert (code, found[0]["why"]) == (1, "is not signed by this key")
    (tmp_path / "whole" / "records.jsonl").write_text("{}\n")
    assert typed("audit", "verify", str(tmp_path / "whole")).code == 2
    assert typed("audit", "verify", str(tmp_path / "none")).code == 2


def test_a_trail_of_many_pages_comes_whole_to_the_command(
    flown: tuple[Flight, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seals come with the first page, and the last one says that it is the last."""
    from aicp.telemetry.trail import store

    flight, _ = flown
    gabriela = flight.people["gabriela"]
    whole = trail(flight.app, gabriela)
    assert whole["next"] is None
    monkeypatch.setattr(store.entries, "__kwdefaults__", {"after": ("", 0), "limit": 2})
    monkeypatch.setattr(store, "PAGE", 2)
    told = trail(flight.app, gabriela)
    found = told["entries"]
    while told["next"]:
        told = trail(flight.app, gabriela, **told["next"])
        assert told["seals"] == []
        found += told["entries"]
    assert found == whole["entries"]
