"""Mail in a folder of our own: drafts, a hold, and delivery over SMTP.

Each mail is one file whose name comes from the key of the call that made it:
drafts/<draft>.eml, held/<draft>.<call>.eml, sent/<same name>. Right before its text leaves, a
held mail is renamed to *.leaving. So after a crash: *.eml certainly did not leave, *.leaving may
have, and only reading back (the recipient's Maildir, when it is ours to see) can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

from aicp.kernel.canonical import digest, sha256
from aicp.toolkits.model import (
    BeforeImage,
    Call,
    Found,
    Json,
    Outcome,
    Reconciled,
    Resource,
    ToolSpec,
    UndoResult,
    UndoStatus,
)
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local import messages, smtp
from aicp.toolkits.providers.local.checked import checked
from aicp.toolkits.providers.local.files import (
    locked,
    move,
    private_folder,
    read_bytes,
    remove,
    replace,
    stamp,
    unreadable,
)
from aicp.toolkits.providers.local.mail_tools import DRAFT, FOLDERS, SCHEDULE, SEND
from aicp.toolkits.providers.local.settings import secret

BOXES = ("drafts", "held", "sent")
_BOX = {DRAFT.name: "drafts", SCHEDULE.name: "held", SEND.name: "sent"}
ABSENT = "absent"


class LocalMail:
    """The mail folder and SMTP server of one connection."""

    def __init__(self, connection: Connection) -> None:
        config = connection.config
        self.connection = connection
        self._folder = _absolute(config, "folder")
        self._sender = messages.address(str(config.get("sender", "")))
        self._server = _server(config)
        self._delivered = _absolute(config, "delivered") if config.get("delivered") else None
        self._deliver = smtp.deliver

    def tools(self) -> tuple[ToolSpec, ...]:
        """Without a server there is nothing to hold a mail for."""
        return (FOLDERS, DRAFT, SCHEDULE, SEND) if self._server else (FOLDERS, DRAFT)

    def describe(self) -> Resource:
        if self._server:
            smtp.probe(self._server)
        facts: Json = {
            "sender": str(self._sender),
            "smtp": self._server.where if self._server else "",
            "hold_seconds": self.connection.config.get("hold_seconds", 900),
            **self._counts(),
        }
        return Resource(
            toolkit="mail",
            account=self.connection.account,
            title=f"{self.connection.account}: mail from {self._sender}",
            version=self.state_hash(),
            tools=tuple(tool.name for tool in self.tools()),
            facts=facts,
        )

    def read(self, call: Call) -> Json:
        checked(self.tools(), call, mutates=False)
        return self._counts()

    def before(self, call: Call) -> BeforeImage:
        checked(self.tools(), call, mutates=True)
        path, mail = self._result(call)
        if call.tool == SCHEDULE.name:
            self._refuse_second(call)
        elif self._stage(path.name, path.parent.name):
            raise ProviderError(f"{call.tool}: this call was made before", hint="use another key")
        return BeforeImage(ABSENT, {"name": path.name, "sha256": sha256(mail)})

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        checked(self.tools(), call, mutates=True)
        path, mail = self._result(call)
        with locked(self.connection.work_dir, str(path)):
            stage = self._stage(path.name, path.parent.name)
            if not stage:
                if call.tool == SCHEDULE.name:
                    self._refuse_second(call)
                self._write(path, mail)
            elif stage == path.parent.name and read_bytes(path) != mail:
                raise ProviderError(f"{path} was changed by somebody else; it is left as it is")
            if call.tool == SEND.name:
                self._send(path, mail, keep=False)
        return self._outcome(call, before.data["name"], mail)

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:
        checked(self.tools(), call, mutates=True)
        name = before.data["name"]
        box = _BOX[call.tool]
        path = self._folder / box / name
        if stamp(path) is None:
            return (f"the mail is not in {box}",)
        changed = sha256(read_bytes(path))[:20] != outcome.version
        return (f"the mail in {box} is not the one that was made",) if changed else ()

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:
        checked(self.tools(), call, mutates=True)
        path, mail = self._result(call)
        outcome = self._outcome(call, before.data["name"], mail)
        if call.tool == SEND.name:
            return self._left(path, mail, outcome)
        stage = self._stage(path.name, path.parent.name)
        if not stage:
            return Reconciled(Found.NOT_DONE)
        if stage == path.parent.name and read_bytes(path) != mail:
            return Reconciled(Found.UNCLEAR, why=f"{path} was changed by somebody else")
        return Reconciled(Found.DONE, outcome)

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:
        checked(self.tools(), call, mutates=True)
        box = "drafts" if call.tool == DRAFT.name else "held"
        path = self._folder / box / before.data["name"]
        with locked(self.connection.work_dir, str(path)):
            stage = self._stage(path.name, box)
            if stage in {"sent", "leaving"}:
                what = "has left" if stage == "sent" else "may have left"
                why = f"the mail {what}; a mail cannot be taken back, only followed by another"
                return UndoResult(UndoStatus.IMPOSSIBLE, why=why)
            if not stage:
                return UndoResult(UndoStatus.ALREADY)
            mail = read_bytes(path)
            if sha256(mail)[:20] != outcome.version:
                theirs = {"field": path.name, "ours": outcome.version, "theirs": sha256(mail)[:20]}
                why = f"{path} was changed by somebody else; it is left as it is"
                return UndoResult(UndoStatus.CONFLICT, (theirs,), why=why)
            remove(path)
        return UndoResult(UndoStatus.RESTORED)

    def release(self, call: Call, outcome: Outcome) -> Outcome:
        """Let the held mail leave; whoever calls this has looked at the clock."""
        path = self._held(call, outcome)
        with locked(self.connection.work_dir, str(path)):
            stage = self._stage(path.name, "held")
            if not stage:
                raise ProviderError("the mail is no longer held, so it cannot leave")
            if stage != "sent":
                mail = read_bytes(path if stage == "held" else _leaving(path))
                if sha256(mail)[:20] != outcome.version:
                    raise ProviderError(f"{path} was changed by somebody else; it does not leave")
                self._send(path, mail, keep=True)
        return self._released(outcome)

    def reconcile_release(self, call: Call, outcome: Outcome) -> Reconciled:
        path = self._held(call, outcome)
        if not self._stage(path.name, "held"):
            return Reconciled(Found.UNCLEAR, why="the mail is neither held nor sent")
        spare = _leaving(path)
        mail = read_bytes(spare) if stamp(spare) else b""
        return self._left(path, mail, self._released(outcome))

    def state_hash(self) -> str:
        files = {
            f"{box}/{path.name}": sha256(read_bytes(path))
            for box in BOXES
            for path in self._files(box)
        }
        return digest(files)

    @contextmanager
    def rehearsal(self) -> Iterator[LocalMail]:
        """On copies of the folders, with no server: a mail that would leave is only filed."""
        with private_folder(self.connection.work_dir) as folder:
            for path in (path for box in BOXES for path in self._files(box)):
                copy = folder / "mail" / path.parent.name / path.name
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(read_bytes(path))
            config = {**self.connection.config, "folder": str(folder / "mail"), "delivered": ""}
            twin = LocalMail(with_fields(self.connection, config=config, work_dir=folder))
            twin._deliver = _nowhere
            yield twin

    def _counts(self) -> Json:
        return {box: len(self._files(box)) for box in BOXES}

    def _files(self, box: str) -> list[Path]:
        try:
            names = sorted((self._folder / box).iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unreadable(self._folder / box, error) from None
        return [path for path in names if path.suffix in {".eml", ".leaving"}]

    def _result(self, call: Call) -> tuple[Path, bytes]:
        """The file a call makes, and its bytes."""
        name = messages.call_id(call)
        if call.tool == SCHEDULE.name:
            return self._folder / "held" / f"{call.args['draft']}.{name}.eml", self._held_mail(call)
        box = "drafts" if call.tool == DRAFT.name else "held"
        return self._folder / box / f"{name}.eml", messages.compose(call, self._sender)

    def _held_mail(self, call: Call) -> bytes:
        """The draft as it will leave, only to the recipients the call names."""
        draft = self._folder / "drafts" / f"{call.args['draft']}.eml"
        if stamp(draft) is None:
            raise ProviderError(f"there is no draft {call.args['draft']}", hint="draft it first")
        data = read_bytes(draft)
        if messages.addressed_to(data) != messages.specs(call.args["to"]):
            raise ProviderError("the draft is addressed to somebody else than the call says")
        return messages.dated(data, messages.moment(call.args["not_before"]))

    def _refuse_second(self, call: Call) -> None:
        """One draft leaves at most once, whatever the keys."""
        for box in ("held", "sent"):
            if any(path.name.startswith(f"{call.args['draft']}.") for path in self._files(box)):
                raise ProviderError(f"the draft is {box} already", hint="draft the mail anew")

    def _stage(self, name: str, box: str) -> str:
        """Where the mail is: its box, "leaving", "sent", or "" for nowhere."""
        if stamp(self._folder / "sent" / name):
            return "sent"
        path = self._folder / box / name
        if stamp(_leaving(path)):
            return "leaving"
        return box if stamp(path) else ""

    def _write(self, path: Path, mail: bytes) -> None:
        try:
            for box in BOXES:
                (self._folder / box).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unreadable(self._folder, error) from None
        replace(path, mail, None)

    def _outcome(self, call: Call, name: str, mail: bytes) -> Outcome:
        data: Json = {"message_id": messages.message_id(mail), "to": messages.addressed_to(mail)}
        version = sha256(mail)[:20]
        if call.tool == DRAFT.name:
            return Outcome({"draft": name.removesuffix(".eml"), **data}, version)
        if call.tool == SEND.name:
            return Outcome({"sent": name, **data}, version)
        return Outcome({"held": name, **data}, version, held_until=call.args["not_before"])

    def _released(self, outcome: Outcome) -> Outcome:
        data = {key: value for key, value in outcome.data.items() if key != "held"}
        return Outcome({"sent": outcome.data["held"], **data}, outcome.version)

    def _held(self, call: Call, outcome: Outcome) -> Path:
        name = outcome.data.get("held", "")
        if call.tool != SCHEDULE.name or Path(name).name != name or not name:
            raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")
        return self._folder / "held" / name

    def _send(self, path: Path, mail: bytes, *, keep: bool) -> None:
        """Deliver the mail at `path` and file it as sent, once.

        `keep`: after a refusal the mail stays held; otherwise nothing of it remains.
        """
        sent = self._folder / "sent" / path.name
        if stamp(sent):
            return
        if stamp(_leaving(path)):
            found = self._settle(path, mail)
            if found is Found.UNCLEAR:
                raise ProviderError(_UNCLEAR, hint=_LOOK, unknown=True)
            if found is Found.DONE:
                return
        try:
            self._hand_over(path, mail)
        except ProviderError as error:
            if not error.unknown and stamp(_leaving(path)):
                move(_leaving(path), path)
            if not error.unknown and not keep:
                remove(path)
            raise
        move(_leaving(path), sent)

    def _hand_over(self, path: Path, mail: bytes) -> None:
        if self._server is None:
            raise ProviderError("the mail connection names no SMTP server", hint="set smtp")
        self._deliver(
            self._server,
            self._sender.addr_spec,
            messages.addressed_to(mail),
            mail,
            lambda: move(path, _leaving(path)),
        )

    def _settle(self, path: Path, mail: bytes) -> Found:
        """An earlier attempt broke off while the mail was leaving: find out, and file it so."""
        found = self._arrived(mail)
        if found is not Found.UNCLEAR:
            move(_leaving(path), self._folder / "sent" / path.name if found is Found.DONE else path)
        return found

    def _left(self, path: Path, mail: bytes, outcome: Outcome) -> Reconciled:
        with locked(self.connection.work_dir, str(path)):
            stage = self._stage(path.name, "held")
            found = Found.DONE if stage == "sent" else Found.NOT_DONE
            if stage == "leaving":
                found = self._settle(path, mail)
        if found is Found.UNCLEAR:
            return Reconciled(found, why=f"{_UNCLEAR}; {_LOOK}")
        return Reconciled(found, outcome if found is Found.DONE else None)

    def _arrived(self, mail: bytes) -> Found:
        """Whether a mail that was leaving arrived, as far as the recipient's Maildir shows.

        The server must deliver into that Maildir before it answers. It is greeted first: by the
        time it answers a later connection it has finished, or dropped, the broken one.
        """
        if self._delivered is None or self._server is None:
            return Found.UNCLEAR
        if self._in_maildir(mail):
            return Found.DONE
        smtp.probe(self._server)
        return Found.DONE if self._in_maildir(mail) else Found.NOT_DONE

    def _in_maildir(self, mail: bytes) -> bool:
        wanted = messages.message_id(mail)
        arrived = [
            path for box in ("new", "cur") for path in (self._delivered or Path()).glob(f"{box}/*")
        ]
        return any(messages.message_id(read_bytes(path)) == wanted for path in arrived)


_UNCLEAR = "the mail was leaving when the line broke, and nothing shows whether it arrived"
_LOOK = "ask the recipient or look into the server's log"


def _leaving(path: Path) -> Path:
    return path.with_suffix(".leaving")


def _nowhere(*told: Any) -> None:
    """The delivery of a rehearsal: (server, sender, to, mail, leaving), of which nothing leaves."""
    leaving: Callable[[], None] = told[-1]
    leaving()


def _absolute(config: Json, name: str) -> Path:
    path = Path(str(config.get(name, "")))
    if not path.is_absolute():
        raise ProviderError(f"the mail connection needs '{name}', an absolute path")
    return path


def _server(config: Json) -> smtp.Server | None:
    if not config.get("smtp"):
        return None
    host, port = smtp.server_at(str(config["smtp"]))
    setting = str(config.get("password_setting", "AICP_SMTP_PASSWORD"))
    return smtp.Server(
        host,
        port,
        bool(config.get("starttls")),
        str(config.get("user", "")),
        lambda: secret(setting),
    )
