"""An inbox in a Maildir: read, triaged by labels and folders, answered by drafts; nothing leaves.

A triage renames one file, so taking it back is exact: the file gets its old name and place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace as with_fields
from pathlib import Path

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
from aicp.toolkits.providers import Where
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local import inbox_text
from aicp.toolkits.providers.local.checked import checked
from aicp.toolkits.providers.local.done import Done
from aicp.toolkits.providers.local.files import locked, private_folder, remove
from aicp.toolkits.providers.local.inbox_tools import (
    DRAFT,
    DRAFT_FLAG,
    DRAFTS,
    LABEL,
    LABELS,
    LIST,
    MARK,
    MOVE,
    SEEN,
    TOOLS,
)
from aicp.toolkits.providers.local.maildir import INBOX, Mail, Maildir, mail_at
from aicp.toolkits.providers.local.messages import call_id

ABSENT = "absent"


class LocalInbox:
    """The Maildir of one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        path = Path(str(connection.config.get("path", "")))
        if not path.is_absolute():
            raise ProviderError("the inbox connection needs 'path', an absolute path")
        self._root = path.resolve()
        self._mails = Maildir(self._root)
        self._done = Done(connection.work_dir, str(self._root))

    def tools(self) -> tuple[ToolSpec, ...]:
        return TOOLS

    def describe(self) -> Resource:
        mails = self._mails.mails()
        counts = {name: sum(m.folder == name for m in mails) for name in self._mails.folders()}
        return Resource(
            toolkit="inbox",
            account=self.connection.account,
            title=f"{self.connection.account}: {len(mails)} mails",
            version=self.state_hash(),
            tools=tuple(tool.name for tool in TOOLS),
            rows=len(mails),
            key="id",
            facts={"folders": counts, "unseen": sum(SEEN not in m.flags for m in mails)},
        )

    def read(self, call: Call) -> Json:
        checked(TOOLS, call, mutates=False)
        if call.tool == LIST.name:
            return self._list(call.args)
        mail = self._find(call.args["id"])
        return {**self._shown(mail), **inbox_text.told(self._mails.read(mail))}

    def before(self, call: Call) -> BeforeImage:
        checked(TOOLS, call, mutates=True)
        mail = self._find(call.args["id"])
        if call.tool == DRAFT.name:
            return self._before_draft(call, mail)
        to = _target(mail, call)
        if to == mail:
            raise ProviderError(
                f"the mail {mail.id[:80]} is like that already", hint="leave it out"
            )
        was = self._mails.hash(mail)
        return BeforeImage(_version(mail, was), self._image(mail.place, to, was))

    def execute(self, call: Call, before: BeforeImage) -> Outcome:
        checked(TOOLS, call, mutates=True)
        known = self._done.outcome(call)
        if known is not None:
            return known
        outcome = _outcome(before)
        with self._alone():
            now = self._version_now(before)
            if now == before.version:
                self._apply(before)
            elif now != outcome.version:
                raise ProviderError(
                    f"the mail {before.data['id'][:80]} was changed by somebody else since it was read",
                    hint="list the mails again and plan the change anew",
                )
        self._done.remember(call, outcome)
        return outcome

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:
        checked(TOOLS, call, mutates=True)
        try:
            if self._version_now(before) == outcome.version:
                return ()
        except ProviderError as error:  # the call was made, whatever reading back says
            return (error.message,)
        return (f"the mail {before.data['id']} is not where and as the call left it",)

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:
        checked(TOOLS, call, mutates=True)
        known, now = self._done.outcome(call), self._version_now(before)
        if known is not None or now == _outcome(before).version:
            return Reconciled(Found.DONE, known or _outcome(before))
        if now == before.version:
            return Reconciled(Found.NOT_DONE)
        why = f"the mail {before.data['id']} is neither as it was nor as the call would leave it"
        return Reconciled(Found.UNCLEAR, why=why)

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:
        checked(TOOLS, call, mutates=True)
        with self._alone():
            now = self._version_now(before)
            if now not in (before.version, outcome.version):
                return self._conflict(before)
            if now == outcome.version:
                self._take_back(before)
            to = mail_at(before.data["to"])
            if not before.data["at"]:
                self._mails.discard(to)
            if before.data["made"]:
                self._mails.drop(to.folder)
        self._done.forget(call)
        return UndoResult(UndoStatus.RESTORED if now == outcome.version else UndoStatus.ALREADY)

    def release(self, call: Call, outcome: Outcome) -> Outcome:  # noqa: ARG002, the protocol's form
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def reconcile_release(self, call: Call, outcome: Outcome) -> Reconciled:  # noqa: ARG002
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def state_hash(self) -> str:
        """Over the name, place and bytes of every mail; a folder without mails says nothing."""
        return digest({mail.place: self._mails.hash(mail) for mail in self._mails.mails()})

    @contextmanager
    def rehearsal(self) -> Iterator[LocalInbox]:
        """On names of their own for the same mails, whose bytes nobody here ever changes."""
        with private_folder(self.connection.work_dir) as folder:
            copy = folder / "maildir"
            twin = Maildir(copy)
            for name in self._mails.folders():
                twin.make(name)
            for mail in self._mails.mails():
                _link(self._mails.path(mail), twin.path(mail))
            config = {**self.connection.config, "path": str(copy)}
            yield LocalInbox(with_fields(self.connection, config=config, work_dir=folder))

    def _list(self, args: Json) -> Json:
        folder = args.get("folder", INBOX)
        if folder not in self._mails.folders():
            raise _no_folder(folder, self._mails.folders())
        found = [mail for mail in self._mails.mails() if mail.folder == folder]
        if args.get("unseen"):
            found = [mail for mail in found if SEEN not in mail.flags]
        newest = sorted(found, key=lambda mail: mail.id, reverse=True)[: args.get("limit", 50)]
        return {
            "mails": [
                {**self._shown(mail), **inbox_text.headed(self._head(mail))} for mail in newest
            ],
            "total": len(found),
        }

    def _head(self, mail: Mail) -> bytes:
        return self._mails.head(mail, inbox_text.HEADERS)

    def _shown(self, mail: Mail) -> Json:
        labels = sorted(label for label, letter in LABELS.items() if letter in mail.flags)
        return {
            "id": mail.id, "folder": mail.folder, "seen": SEEN in mail.flags, "labels": labels,
            "version": _version(mail, self._mails.hash(mail)),
        }  # fmt: skip

    def _find(self, mail_id: str) -> Mail:
        mail = self._mails.find(mail_id)
        if mail is None:
            raise ProviderError(f"there is no mail {mail_id[:80]}", hint="list the mails first")
        return mail

    def _alone(self):  # noqa: ANN202, the lock's own type
        return locked(self.connection.work_dir, str(self._root))

    def _image(self, at: str, to: Mail, was: str) -> Json:
        made = not self._mails.has(to.folder)
        return {"id": to.id, "at": at, "to": to.place, "sha256": was, "made": made}

    def _before_draft(self, call: Call, mail: Mail) -> BeforeImage:
        args = call.args
        text = inbox_text.answer(
            self._mails.read(mail), args["to"], args["body"], args.get("subject", "")
        )
        draft = Mail(DRAFTS, "cur", f"{call_id(call)}.aicp:2,{DRAFT_FLAG}")
        if self._mails.find(draft.id):
            raise ProviderError("this answer was drafted before", hint="use another key")
        image = self._image("", draft, sha256(text))
        return BeforeImage(ABSENT, image | {"mail": text.decode("ascii")})

    def _apply(self, before: BeforeImage) -> None:
        to = mail_at(before.data["to"])
        if before.data["at"]:
            self._mails.shift(mail_at(before.data["at"]), to)
        else:
            self._mails.deliver(to, before.data["mail"].encode("ascii"))

    def _take_back(self, before: BeforeImage) -> None:
        here = mail_at(before.data["to"])
        if before.data["at"]:
            self._mails.shift(here, mail_at(before.data["at"]))
        else:
            remove(self._mails.path(here))

    def _version_now(self, before: BeforeImage) -> str:
        mail = self._mails.find(before.data["id"])
        return _version(mail, self._mails.hash(mail)) if mail else ABSENT

    def _conflict(self, before: BeforeImage) -> UndoResult:
        ours, mail = before.data["to"], self._mails.find(before.data["id"])
        theirs = mail.place if mail else "gone"
        if theirs == ours and mail:
            ours, theirs = before.data["sha256"], self._mails.hash(mail)
        why = (
            f"the mail {before.data['id']} was changed by somebody else since; nothing was touched"
        )
        row = {"field": before.data["id"], "ours": ours, "theirs": theirs}
        return UndoResult(UndoStatus.CONFLICT, (row,), why=why)


def _target(mail: Mail, call: Call) -> Mail:
    """Where the mail lies once the call is done."""
    args, flags = call.args, set(mail.flags)
    if call.tool == MOVE.name:
        return Mail(args["folder"], mail.box, mail.name)
    if call.tool == MARK.name:
        wanted = flags | {SEEN} if args.get("seen", True) else flags - {SEEN}
    else:
        add, take = ({LABELS[name] for name in args.get(which, ())} for which in ("add", "remove"))
        if add & take or not add | take:
            raise ProviderError(
                f"{LABEL.name} needs labels to add or to remove, none of them in both",
                hint=f"use {', '.join(sorted(LABELS))}",
            )
        wanted = (flags | add) - take
    return mail if wanted == flags else mail.flagged(wanted)


def _version(mail: Mail, was: str) -> str:
    """20 digits over where the mail lies, its flags and its bytes."""
    return digest([mail.place, was])[:20]


def _outcome(before: BeforeImage) -> Outcome:
    to = mail_at(before.data["to"])
    data = {"id": to.id, "folder": to.folder, "flags": to.flags}
    return Outcome(data, _version(to, before.data["sha256"]))


def _no_folder(name: str, folders: list[str]) -> ProviderError:
    return ProviderError(
        f"there is no folder {name}", hint=f"use one of: {', '.join(folders[:20])}"
    )


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:  # another file system, or a file of somebody else
        shutil.copyfile(old, new, follow_symlinks=False)


def named(target: str, where: Where) -> Connection:
    """The connection of `--connect inbox:MAILDIR`.

    Raises:
        ProviderError: there is no Maildir.
    """
    path = where.inside(target)
    Maildir(path).folders()
    return Connection("inbox", path.name, {"path": str(path)}, where.work_dir)
