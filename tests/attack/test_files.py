"""What a mission may touch: its own files, never the system's, nor a file a link was turned to."""

from __future__ import annotations

import pytest

from aicp.errors import Forbidden
from flight import ANY_TIME, Flight


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
