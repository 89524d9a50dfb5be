"""What a mission may touch: its own files, never the system's, nor a file a link was turned to."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from aicp.errors import BadInput, Forbidden
from aicp.missions import store
from flight import ANY_TIME, Flight, land, take_off


@pytest.mark.parametrize("field", ["data", "calendar", "mail_folder", "delivered"])
@pytest.mark.parametrize("name", ["tokens.json", "logs/server.log", "evidence", "work/mail", ""])
def test_the_systems_own_files_are_out_of_bounds_in_every_field(flight: Flight, field, name):
    path = str(flight.app.settings.data_dir / name)
    with pytest.raises(Forbidden, match="belongs to this system"):
        flight.new(ANY_TIME, **{field: (path,) if field == "data" else path})


def test_a_link_into_the_systems_own_files_is_followed_before_it_is_judged(flight: Flight):
    link = flight.sandbox / "innocent.csv"
    link.symlink_to(flight.app.settings.data_dir / "tokens.json")
    with pytest.raises(Forbidden, match="belongs to this system"):
        flight.new(ANY_TIME, data=(str(link),))


def test_a_file_turned_into_a_link_after_the_mission_was_made_is_not_followed(flight: Flight):
    secret = flight.folder / "data" / "secret.csv"
    secret.parent.mkdir(exist_ok=True)
    secret.write_bytes((flight.sandbox / "accounts.csv").read_bytes())
    before = secret.read_bytes()
    mission = flight.to_execute(ANY_TIME)
    table = flight.sandbox / "accounts.csv"
    table.unlink()
    table.symlink_to(secret)
    flight.work()
    doc = flight.doc(mission)
    assert doc["step"] == 0
    assert "link" in doc["blocking_reason"]
    assert secret.read_bytes() == before


def test_tenants_that_name_no_mail_folder_do_not_share_one(flight: Flight, tmp_path: Path) -> None:
    other = take_off(tmp_path / f"other{uuid4().hex[:8]}", flight.url)
    try:
        folders = set()
        for one in (flight, other):
            mission = one.new(mail_folder="")
            with one.app.transaction(one.people["riley"]) as conn:
                rows = store.connections(conn, mission)
            folders |= {row.config["folder"] for row in rows if row.toolkit == "mail"}
        assert len({Path(folder).name for folder in folders}) == 2
    finally:
        land(other)


@pytest.mark.parametrize("parameter", ["service=crm", "passfile=/etc/shadow", "sslkey=/root/key"])
def test_a_database_url_names_no_file_or_service_of_the_server(
    flight: Flight, parameter: str
) -> None:
    with pytest.raises(BadInput, match="may not set"):
        flight.new(data=(f"postgresql://db.example/crm?{parameter}#accounts",))
