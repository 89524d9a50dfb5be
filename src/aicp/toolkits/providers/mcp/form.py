"""The form of a declaration: what the operator may write of a server and of each of its tools."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aicp.toolkits.model import Json


class Part(BaseModel):
    """A table of the file; a word it does not know is a mistake, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Secret(Part):
    """The value of a setting where the worker runs, or of the vault; only its name is written."""

    secret: str = Field(min_length=1)


class Reading(Part):
    """One look at the server's world through a tool that only reads."""

    tool: str  # as the server calls it
    args: Json = Field(default_factory=dict)
    pick: str = ""  # dotted path into the answer; empty: all of it
    match: str = ""  # regular expression over that text; its first group is what counts
    absent: str = ""  # regular expression: an error that begins so means there is no such thing


class Folder(Part):
    """A folder that holds all that the server can change, hashed byte for byte."""

    folder: str


class Inverse(Part):
    """The call that takes a call back."""

    tool: str
    args: Json = Field(default_factory=dict)


class Rehearse(Part):
    """A server on a private copy: every mention of the folder in args, env and cwd is replaced."""

    copy_of: str = Field(alias="copy")


class Tool(Part):
    does: Literal["read", "mutate"]
    uses: str = ""  # the server's name of it, when it is declared under another
    title: str = ""
    description: str = ""
    scope: str = Field(default="", pattern=r"^[a-z0-9_.-]*$")
    sensitive: list[str] | None = None  # arguments that say who, where, how much; unsaid: all
    tier: Literal["", "T1", "T2", "T3", "T4", "T5"] = ""
    look: list[Reading] = Field(default_factory=list)  # what the call touches
    needs: list[Any] = Field(default_factory=list)  # what `look` must show before
    becomes: list[Any] = Field(default_factory=list)  # what `look` shows once it is done
    undo: Inverse | None = None
    undone: str = ""  # how it is taken back, one sentence
    residue: str = ""
    pinned: str = Field(default="", pattern=r"^([0-9a-f]{12})?$")  # digits of the schema


class Server(Part):
    title: str = ""
    version: str  # as the server says of itself; another one is refused
    command: str = ""
    args: list[str] = Field(default_factory=list)
    env: dict[str, str | Secret] = Field(default_factory=dict)
    cwd: str = "/"
    url: str = ""
    headers: dict[str, Secret] = Field(default_factory=dict)
    timeout: float = Field(default=30, gt=0, le=3600)  # seconds a call may take
    start_timeout: float = Field(default=30, gt=0, le=600)
    max_bytes: int = Field(default=1_000_000, ge=1000)  # of one answer
    state: list[Reading | Folder] = Field(default_factory=list)
    rehearse: Rehearse | None = None
    tools: dict[str, Tool] = Field(default_factory=dict)

    def server_tool(self, name: str) -> str:
        """What the server calls the tool that is declared under this name."""
        return self.tools[name].uses or name
