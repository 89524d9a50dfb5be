"""The inbox: mails of strangers read, triaged and answered by drafts, and every byte back."""

from __future__ import annotations

import mailbox
import os
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aicp.toolkits.model import Call, Found, UndoStatus
from aicp.toolkits.providers import Where, named, open_provider
from aicp.toolkits.providers.base import Provider, ProviderError
from aicp.toolkits.providers.local import inbox_text, maildir
from toolkits.world_inbox import lay
from toolkits.worlds import apply


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lay(tmp_path / "mails")


@pytest.fixture
def inbox(root: Path, tmp_path: Path) -> Provider:
    return open_provider(named("inbox", str(root), Where(Path, tmp_path / "work", {})))


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    """Everything below a folder: names, bytes, times of the files."""
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
        if path.is_file()
        else (b"", 0)
        for path in sorted(root.rglob("*"))
    }


def ids(provider: Provider, **args) -> list[str]:
    return [mail["id"] for mail in provider.read(Call("inbox.list", args))["mails"]]


def test_the_list_tells_who_wrote_what_newest_first(inbox: Provider) -> None:
    found = inbox.read(Call("inbox.list", {}))
    assert [mail["id"] for mail in found["mails"]] == [
        "4.d.host",
        "3.c.host",
        "2.b.host",
        "1.a.host",
    ]
    third = found["mails"][1]
    assert (third["from"], third["subject"]) == ("Kim Vo <kim@acme.example>", "Grüße")
    assert (third["seen"], third["labels"], third["folder"]) == (True, ["flagged"], "INBOX")
    assert ids(inbox, unseen=True) == ["4.d.host", "1.a.host"]
    assert ids(inbox, folder="Old") == ["5.e.host"]
    assert ids(inbox, limit=1) == ["4.d.host"]
    with pytest.raises(ProviderError, match="no folder") as refused:
        ids(inbox, folder="Nowhere")
    assert "INBOX, Old" in refused.value.hint
    assert inbox.describe().facts == {"folders": {"INBOX": 4, "Old": 1}, "unseen": 3}


def test_reading_a_mail_leaves_it_unseen(inbox: Provider, root: Path) -> None:
    before = tree(root)
    found = inbox.read(Call("inbox.read", {"id": "1.a.host"}))
    assert (found["text"], found["kind"], found["cut"]) == ("Hello one\n", "plain", False)
    assert found["message-id"] == "<one@acme.example>"
    assert tree(root) == before


def test_a_whole_triage_and_its_undo_leave_every_name_byte_and_time_as_they_were(
    inbox: Provider, root: Path
) -> None:
    before = tree(root)
    done = [
        apply(inbox, call)
        for call in (
            Call("inbox.seen", {"id": "1.a.host"}, "a"),
            Call("inbox.label", {"id": "1.a.host", "add": ["flagged", "answered"]}, "b"),
            Call("inbox.move", {"id": "1.a.host", "folder": "Clients.Acme"}, "c"),
            Call("inbox.seen", {"id": "3.c.host", "seen": False}, "d"),
            Call("inbox.move", {"id": "5.e.host", "folder": "Clients.Acme"}, "e"),
            Call("inbox.draft", {"id": "5.e.host", "to": ["kim@acme.example"], "body": "x"}, "f"),
        )
    ]
    after = set(tree(root))
    assert {".Clients.Acme/cur/1.a.host:2,FRS", ".Clients.Acme/cur/5.e.host:2,", "cur/3.c.host:2,F"} <= after  # fmt: skip
    assert {".Clients.Acme/maildirfolder", ".Drafts/maildirfolder"} <= after
    for step in reversed(done):
        assert inbox.undo(*step).status is UndoStatus.RESTORED
    assert tree(root) == before


def test_the_standard_library_finds_the_triage_as_we_left_it(inbox: Provider, root: Path) -> None:
    apply(inbox, Call("inbox.seen", {"id": "1.a.host"}, "a"))
    apply(inbox, Call("inbox.move", {"id": "2.b.host", "folder": "Billing"}, "b"))
    box = mailbox.Maildir(root, create=False)
    assert sorted(box.list_folders()) == ["Billing", "Old"]
    mail = box["1.a.host"]
    assert (mail.get_subdir(), mail.get_flags()) == ("cur", "S")
    assert list(box.get_folder("Billing").keys()) == ["2.b.host"]


def test_a_folder_that_somebody_used_meanwhile_is_left(inbox: Provider, root: Path) -> None:
    step = apply(inbox, Call("inbox.move", {"id": "2.b.host", "folder": "Billing"}, "b"))
    (root / ".Billing/new/6.f.host").write_bytes(b"Subject: theirs\r\n\r\n")
    assert inbox.undo(*step).status is UndoStatus.RESTORED
    assert ids(inbox, folder="Billing") == ["6.f.host"]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.rename(path.with_name("2.b.host:2,RS")),
        lambda path: path.rename(path.parents[2] / "cur" / "2.b.host:2,S2"),
        lambda path: path.write_bytes(b"Subject: other\r\n\r\n"),
        lambda path: path.unlink(),
    ],
    ids=["flagged", "moved on", "rewritten", "deleted"],
)
def test_what_others_did_since_is_shown_and_left(inbox: Provider, root: Path, change) -> None:
    step = apply(inbox, Call("inbox.move", {"id": "2.b.host", "folder": "Billing"}, "b"))
    change(root / ".Billing/cur/2.b.host:2,S")
    theirs = tree(root)
    result = inbox.undo(*step)
    assert result.status is UndoStatus.CONFLICT
    assert result.difference[0]["ours"] != result.difference[0]["theirs"]
    assert tree(root) == theirs


def test_a_mail_that_was_touched_between_look_and_call_is_refused(
    inbox: Provider, root: Path
) -> None:
    call = Call("inbox.move", {"id": "2.b.host", "folder": "Billing"}, "b")
    before = inbox.before(call)
    (root / "cur/2.b.host:2,S").rename(root / "cur/2.b.host:2,ST")
    theirs = tree(root)
    with pytest.raises(ProviderError, match="changed by somebody else"):
        inbox.execute(call, before)
    assert tree(root) == theirs


@pytest.mark.parametrize(
    ("tool", "args", "words"),
    [
        ("seen", {"id": "2.b.host"}, "like that already"),
        ("move", {"id": "2.b.host", "folder": "INBOX"}, "like that already"),
        ("label", {"id": "2.b.host"}, "needs labels"),
        ("label", {"id": "2.b.host", "add": ["flagged"], "remove": ["flagged"]}, "needs labels"),
        ("label", {"id": "2.b.host", "add": ["urgent"]}, "label"),
        ("seen", {"id": "9.z.host"}, "no mail"),
        ("seen", {"id": "../cur/2.b.host"}, "id"),
        ("move", {"id": "2.b.host", "folder": "../../out"}, "folder"),
        ("move", {"id": "2.b.host", "folder": "."}, "folder"),
        ("move", {"id": "2.b.host", "folder": "a..b"}, "folder"),
        ("move", {"id": "2.b.host", "folder": "a\n"}, "folder"),
        ("move", {"id": "2.b.host", "folder": "x" * 121}, "folder"),
        ("draft", {"id": "2.b.host", "to": ["kim"], "body": "x"}, "not an e-mail address"),
        ("draft", {"id": "2.b.host", "to": ["kim@a.example\r\nBcc: eve@x.example"], "body": "x"}, "line break"),
        ("draft", {"id": "2.b.host", "to": ["kim@a.example"], "body": "x", "subject": "a\r\nBcc: b"}, "line break"),
    ],
)  # fmt: skip
def test_a_triage_that_makes_no_sense_is_refused(
    inbox: Provider, root: Path, tool: str, args: dict, words: str
) -> None:
    before = tree(root)
    with pytest.raises(ProviderError, match=words):
        inbox.before(Call(f"inbox.{tool}", args, "k"))
    assert tree(root) == before


def test_a_draft_answers_the_mail_it_is_about_and_goes_nowhere(inbox: Provider, root: Path) -> None:
    to = ["Kim Vo <kim@acme.example>"]
    call = Call("inbox.draft", {"id": "3.c.host", "to": to, "body": "Grüße\n.\nzurück"}, "k")
    _, _, outcome = apply(inbox, call)
    (path,) = (root / ".Drafts/cur").iterdir()
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert (mail["To"], mail["Subject"]) == ("Kim Vo <kim@acme.example>", "Re: Grüße")
    assert (mail["In-Reply-To"], mail["From"]) == ("<three@acme.example>", None)
    assert mail.get_content().splitlines() == ["Grüße", ".", "zurück"]
    assert (path.name.endswith(":2,D"), path.stat().st_mode & 0o777) == (True, 0o600)
    assert outcome.data["folder"] == "Drafts"


def test_links_pipes_and_odd_names_are_no_mails(
    inbox: Provider, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private/cur").mkdir()
    (tmp_path / "private/cur/8.h.host:2,").write_text("Subject: private\r\n\r\n")
    start = inbox.state_hash()
    (root / "cur/7.g.host:2,").symlink_to(tmp_path / "private/cur/8.h.host:2,")
    (root / ".Link").symlink_to(tmp_path / "private")
    os.mkfifo(root / "new/9.pipe.host")
    (root / "new/.hidden").write_text("x")
    Path(os.fsdecode(os.fsencode(root) + b"/new/\xff.host")).write_text("x")
    assert inbox.state_hash() == start
    assert inbox.describe().facts["folders"] == {"INBOX": 4, "Old": 1}
    for mail_id in ("7.g.host", "8.h.host", "9.pipe.host"):
        with pytest.raises(ProviderError, match="no mail"):
            inbox.read(Call("inbox.read", {"id": mail_id}))


def test_a_mail_too_large_to_read_is_still_listed_and_triaged(
    inbox: Provider, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maildir, "LARGEST", 100)
    with pytest.raises(ProviderError, match="larger than 100 bytes"):
        inbox.read(Call("inbox.read", {"id": "1.a.host"}))
    assert ids(inbox)[-1] == "1.a.host"
    step = apply(inbox, Call("inbox.seen", {"id": "1.a.host"}, "k"))
    assert inbox.undo(*step).status is UndoStatus.RESTORED


def test_a_move_puts_nothing_in_the_place_of_something_else(inbox: Provider, root: Path) -> None:
    (root / ".Old/cur/2.b.host:2,S").symlink_to("nowhere")
    call = Call("inbox.move", {"id": "2.b.host", "folder": "Old"}, "k")
    with pytest.raises(ProviderError, match="already"):
        inbox.execute(call, inbox.before(call))
    assert (root / "cur/2.b.host:2,S").exists()
    assert (root / ".Old/cur/2.b.host:2,S").is_symlink()


def test_what_a_killed_draft_left_behind_goes_with_its_undo(inbox: Provider, root: Path) -> None:
    start = tree(root)
    call = Call("inbox.draft", {"id": "1.a.host", "to": ["kim@acme.example"], "body": "x"}, "k")
    before = inbox.before(call)
    outcome = inbox.execute(call, before)
    (draft,) = (root / ".Drafts/cur").iterdir()
    draft.rename(root / ".Drafts/tmp" / draft.name.partition(":")[0])  # as before its last step
    assert inbox.reconcile(Call(call.tool, call.args, "other"), before).found is Found.NOT_DONE
    assert inbox.undo(call, before, outcome).status is UndoStatus.ALREADY
    assert tree(root) == start


def test_two_mails_of_one_name_are_not_mixed_up(inbox: Provider, root: Path) -> None:
    (root / ".Old/cur/2.b.host:2,").write_text("Subject: x\r\n\r\n")
    with pytest.raises(ProviderError, match="two mails"):
        inbox.before(Call("inbox.seen", {"id": "2.b.host"}, "k"))


def test_a_folder_that_is_no_maildir_is_refused_when_it_is_connected(tmp_path: Path) -> None:
    for target in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ProviderError, match="no Maildir") as refused:
            named("inbox", str(target), Where(Path, tmp_path, {}))
        assert refused.value.hint


def test_a_rehearsal_leaves_names_and_times_of_the_real_mails_alone(
    inbox: Provider, root: Path
) -> None:
    before = tree(root)
    with inbox.rehearsal() as twin:
        apply(twin, Call("inbox.move", {"id": "2.b.host", "folder": "Billing"}, "b"))
        apply(
            twin, Call("inbox.draft", {"id": "2.b.host", "to": ["k@a.example"], "body": "x"}, "c")
        )
        assert tree(root) == before
    assert tree(root) == before


HOSTILE = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda name, value, kind, body: b"%s: %s\r\nContent-Type: %s\r\n\r\n%s" % (name, value, kind, body),
        st.sampled_from([b"From", b"To", b"Subject", b"Message-ID", b"Content-Disposition", b"Date"]),
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from([b"=?utf-8?b?////?=", b"=?x?q?=00?=", b"<a@[", b'"', b"a:;,<>@", b"=?utf-8?q?=0D=0ABcc:_x?="]),
        ),
        st.sampled_from([b"text/plain; charset=nope", b"multipart/mixed; boundary=x", b"text/html", b"/", b"message/rfc822",
                         b'text/plain; charset="utf-8\x00"']),
        st.binary(max_size=100),
    ),
)  # fmt: skip


@given(HOSTILE)
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read_and_answered_without_a_stumble(data: bytes) -> None:
    shown = str(inbox_text.headed(data)) + str(inbox_text.told(data))
    shown.encode()
    assert "\x00" not in shown
    answer = inbox_text.answer(data, ["kim@acme.example"], "x")
    mail = message_from_bytes(answer, policy=policy.default)
    assert {name.lower() for name, _ in mail.items()} <= {
        "to", "subject", "in-reply-to", "references", "mime-version",
        "content-type", "content-transfer-encoding",
    }  # fmt: skip
    assert mail["To"] == "kim@acme.example"
