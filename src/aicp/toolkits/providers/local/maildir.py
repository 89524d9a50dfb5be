"""A Maildir on disk: which mails lie where, and moves of one mail that are whole or not at all.

One file is one mail; its folder, its place in new or cur and the flags after ":2," in its name are
all that a move changes. Subfolders are those of Maildir++: ".Name" with cur, new and tmp of their
own. Links and files that are not plain are not mails: nothing outside the Maildir is ever read.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.files import move, unreadable

BOXES = ("cur", "new", "tmp")
INBOX = "INBOX"
LARGEST = 50_000_000  # bytes of a mail that is read


@dataclass(frozen=True, slots=True, order=True)
class Mail:
    """Where one mail lies. `name` is the file's, flags included."""

    folder: str  # INBOX, or the name of a subfolder
    box: str  # new or cur
    name: str

    @property
    def id(self) -> str:
        """What stays the same when the mail is flagged or moved."""
        return self.name.partition(":")[0]

    @property
    def flags(self) -> str:
        return self.name.partition(":2,")[2]

    @property
    def place(self) -> str:
        """The path inside the Maildir."""
        inside = "" if self.folder == INBOX else f".{self.folder}/"
        return f"{inside}{self.box}/{self.name}"

    def flagged(self, flags: set[str]) -> Mail:
        """The same mail with these flags; a mail with an info part lies in cur."""
        return Mail(self.folder, "cur", f"{self.id}:2,{''.join(sorted(flags))}")


def mail_at(place: str) -> Mail:
    """The mail that `Mail.place` names."""
    *folder, box, name = place.split("/")
    return Mail(folder[0][1:] if folder else INBOX, box, name)


class Maildir:
    """All mails below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._hashes: dict[tuple[int, int, int], str] = {}

    def path(self, mail: Mail) -> Path:
        return self._root / mail.place

    def folders(self) -> list[str]:
        """INBOX and the subfolders, by name.

        Raises:
            ProviderError: there is no Maildir here.
        """
        if not all(_is_folder(self._root / box) for box in BOXES):
            raise ProviderError(
                f"{self._root} is no Maildir", hint="name a folder that holds cur, new and tmp"
            )
        found = (path for path in self._root.iterdir() if path.name.startswith("."))
        names = (path.name[1:] for path in found if _is_folder(path) and _is_folder(path / "cur"))
        return [INBOX, *sorted(name for name in names if name and _is_text(name))]

    def mails(self) -> list[Mail]:
        """Every mail, in the order of folder and name."""
        try:
            return sorted(mail for folder in self.folders() for mail in self._in(folder))
        except OSError as error:
            raise unreadable(self._root, error) from None

    def find(self, mail_id: str) -> Mail | None:
        """The mail of an id, wherever it lies.

        Raises:
            ProviderError: two mails have it.
        """
        found = [mail for mail in self.mails() if mail.id == mail_id]
        if len(found) > 1:
            raise ProviderError(f"two mails are called {mail_id[:80]}", hint="remove the double")
        return found[0] if found else None

    def read(self, mail: Mail) -> bytes:
        """The mail's bytes.

        Raises:
            ProviderError: it is gone, no plain file, or too large.
        """
        data = self.head(mail, LARGEST + 1)
        if len(data) > LARGEST:
            raise ProviderError(
                f"the mail {mail.id[:80]} is larger than {LARGEST} bytes",
                hint="open it in a mail client",
            )
        return data

    def head(self, mail: Mail, size: int) -> bytes:
        """The first bytes of a mail."""
        with self._opened(mail) as file:
            return file.read(size)

    def hash(self, mail: Mail) -> str:
        """SHA-256 of the mail's bytes; a file that has not changed is read once."""
        try:
            seen = self.path(mail).stat(follow_symlinks=False)
        except OSError as error:
            raise unreadable(self.path(mail), error) from None
        key = (seen.st_ino, seen.st_mtime_ns, seen.st_size)
        if key not in self._hashes:
            with self._opened(mail) as file:
                self._hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._hashes[key]

    def shift(self, old: Mail, new: Mail) -> None:
        """Move a mail to another place, never over another mail."""
        if os.path.lexists(self.path(new)):
            raise ProviderError(
                f"there is a mail at {new.place} already", hint="look at the folder"
            )
        self.make(new.folder)
        move(self.path(old), self.path(new))

    def deliver(self, mail: Mail, data: bytes) -> None:
        """Put a new mail into its place: written in tmp first, as Maildir wants it."""
        self.make(mail.folder)
        spare = self._folder(mail.folder) / "tmp" / mail.id
        try:
            handle = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise unreadable(spare, error) from None
        move(spare, self.path(mail))

    def make(self, folder: str) -> None:
        """Create a subfolder, if it is not there."""
        home = self._folder(folder)
        fresh = not home.exists()
        try:
            for box in BOXES:
                (home / box).mkdir(mode=0o700, parents=True, exist_ok=True)
            if fresh:
                (home / "maildirfolder").touch(mode=0o600)  # Maildir++ marks its subfolders
        except OSError as error:
            raise unreadable(home, error) from None

    def discard(self, mail: Mail) -> None:
        """Remove what a killed delivery left in tmp."""
        (self._folder(mail.folder) / "tmp" / mail.id).unlink(missing_ok=True)

    def has(self, folder: str) -> bool:
        return self._folder(folder).exists()

    def drop(self, folder: str) -> None:
        """Remove a subfolder of ours that is empty; one that holds anything stays whole."""
        home = self._folder(folder)
        boxes = [home / box for box in BOXES if _is_folder(home / box)]
        try:
            if any(any(box.iterdir()) for box in boxes):
                return
            for box in boxes:
                box.rmdir()
            (home / "maildirfolder").unlink(missing_ok=True)
            home.rmdir()
        except FileNotFoundError:
            return  # it is gone
        except OSError:
            self.make(folder)  # a mail came this very moment, or it holds something else

    @contextmanager
    def _opened(self, mail: Mail) -> Iterator[BufferedReader]:
        """The mail's file itself: no link, and no pipe that would keep us waiting."""
        path = self.path(mail)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                yield file
        except OSError as error:
            raise unreadable(path, error) from None

    def _folder(self, folder: str) -> Path:
        return self._root if folder == INBOX else self._root / f".{folder}"

    def _in(self, folder: str) -> Iterator[Mail]:
        for box in ("cur", "new"):
            home = self._folder(folder) / box
            if not _is_folder(home):
                continue
            with os.scandir(home) as files:
                for file in files:
                    plain = file.is_file(follow_symlinks=False) and _is_text(file.name)
                    if plain and not file.name.startswith("."):
                        yield Mail(folder, box, file.name)


def _is_folder(path: Path) -> bool:
    """Whether it is a folder itself and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _is_text(name: str) -> bool:
    """Names that are not UTF-8 cannot be told to anybody, so they are left alone."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
