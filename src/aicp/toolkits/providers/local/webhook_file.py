"""The declaration of a webhook connection: a TOML file that says which calls there are.

It is read once, when the connection is made, and kept with it: what people approve is what was
declared then, on whichever machine a call is made.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator, SchemaError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from aicp.toolkits.model import Json
from aicp.toolkits.providers import Where
from aicp.toolkits.providers.base import Connection, ProviderError
from aicp.toolkits.providers.local.files import read_bytes
from aicp.toolkits.providers.local.templates import PLACE
from aicp.toolkits.providers.local.web_address import WebAddress, web_address

NAME = r"^[a-z][a-z0-9_]{0,40}$"
SIZE = 200_000  # bytes of a declaration
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECRET_NAMES = re.compile(r"[A-Za-z0-9][\w.-]{0,80}")


def _schema(value: Json) -> Json:
    try:
        Draft202012Validator.check_schema(value)
    except SchemaError as error:
        raise ValueError(f"not a JSON Schema: {error.message[:200]}") from None
    if foreign := [ref for ref in _refs(value) if not str(ref).startswith("#")]:
        raise ValueError(f"$ref {foreign[0]} leads out of the declaration")
    return value


def _refs(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (one for name, one in value.items() if name in ("$ref", "$dynamicRef", "$id"))
        value = list(value.values())
    for one in value if isinstance(value, list) else []:
        yield from _refs(one)


def _arguments(value: Json) -> Json:
    """A closed object: what is not declared cannot be sent."""
    if value.get("type", "object") != "object" or value.get("additionalProperties") not in (
        None,
        False,
    ):
        raise ValueError("the body's schema must be a closed object")  # fmt: skip
    closed = {"properties": {}, "required": []} | value
    return closed | {"type": "object", "additionalProperties": False}


def _url(text: str) -> str:
    """An address whose placeholders stand in its path or query; the host is literal."""
    try:
        address = web_address(PLACE.sub("x", text))
    except ProviderError as error:
        raise ValueError(error.message) from None
    if "{" in text.split("://", 1)[1].partition("/")[0]:
        raise ValueError("the host of an address is written out, never filled in")
    return address.url if "{" not in text else text


Url = Annotated[str, AfterValidator(_url)]
Schema = Annotated[Json, AfterValidator(_schema)]
Arguments = Annotated[Json, AfterValidator(_schema), AfterValidator(_arguments)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReadBack(Part):
    """A GET that tells by the idempotency key whether a call happened: 404 and 410 say no."""

    url: Url
    done_when: Schema = Field(default_factory=dict)  # of the body; the body must meet it
    result: str = ""  # where in the body the call's own answer is: "items.0"


class Compensation(Part):
    """The call that makes up for another one."""

    url: Url
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    body: Json = Field(default_factory=dict)
    read_back: ReadBack | None = None


class Endpoint(Part):
    """One call of the other side, and one tool of ours."""

    url: Url
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    effect: Literal["reads", "mutates"]
    title: str = Field(default="", max_length=80)
    body: Arguments = Field(default_factory=lambda: _arguments({}), validate_default=True)
    answer: Schema = Field(default_factory=dict)  # of the answer's JSON
    sensitive: tuple[str, ...] = ()  # arguments that say who, where or how much
    read_back: ReadBack | None = None
    compensate: Compensation | None = None

    @model_validator(mode="after")
    def _sound(self) -> Endpoint:
        if "{" in self.url:
            raise ValueError("the address of a call is written out, never filled in")
        if self.effect == "reads" and (self.compensate or self.read_back):
            raise ValueError("a call that only reads has nothing to compensate or read back")
        if self.method == "GET" and self.effect == "mutates":
            raise ValueError("GET only reads (RFC 9110, 9.2.1); name the method that changes it")
        if "{result" in "".join(part.url for part in self.read_backs()):
            raise ValueError("a call is read back before its result is known")
        used = set(re.findall(r"\{args\.([\w-]+)", json.dumps(self.model_dump(mode="json"))))
        if missing := used - set(self.body["required"]):
            raise ValueError(f"filled in but not required: {', '.join(sorted(missing))}")
        if unknown := set(self.sensitive) - set(self.body["properties"]):
            raise ValueError(f"sensitive names no argument: {', '.join(sorted(unknown))}")
        return self

    def read_backs(self) -> Iterator[ReadBack]:
        for part in (self.read_back, self.compensate and self.compensate.read_back):
            if part:
                yield part

    def addresses(self) -> Iterator[str]:
        """Every address a call of this endpoint may lead to."""
        yield from (self.url, *(part.url for part in self.read_backs()))
        if self.compensate:
            yield self.compensate.url


class Declaration(Part):
    """All endpoints of one other side. `secret` is a name in the vault, never the secret."""

    name: str = Field(default="", max_length=80)
    secret: str = Field(default="", pattern=f"^({SECRET_NAMES.pattern})?$")
    scheme: str = Field(default="Bearer", pattern=r"^[A-Za-z-]{0,20}$")
    endpoints: dict[Annotated[str, Field(pattern=NAME)], Endpoint] = Field(
        min_length=1, max_length=50
    )

    @model_validator(mode="after")
    def _kept_secret(self) -> Declaration:
        hosts = [fixed(url) for one in self.endpoints.values() for url in one.addresses()]
        if self.secret and any(not h.secure and h.host not in LOOPBACK for h in hosts):
            raise ValueError("the secret would travel in the clear; use https")
        if self.secret and len({(host.host, host.port) for host in hosts}) > 1:
            raise ValueError("one secret is for one host; declare the other host on its own")
        return self


def fixed(url: str) -> WebAddress:
    """The address of a template, whatever is filled in: scheme, host and port are literal."""
    return web_address(PLACE.sub("x", url))


def declaration(value: Json) -> Declaration:
    """The declaration that a connection keeps.

    Raises:
        ProviderError: it is not sound; the message names the field.
    """
    try:
        return Declaration.model_validate(json.loads(json.dumps(value)))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the declaration"
        raise ProviderError(
            f"the webhook declaration is not sound: {place}: {first['msg'].removeprefix('Value error, ')}",
            hint="correct the file; its form is in docs/missions.md",
        ) from None
    except (TypeError, ValueError, RecursionError):
        raise ProviderError(
            "the webhook declaration holds a date or number that JSON does not know",
            hint="write dates as text",
        ) from None


def named(target: str, where: Where) -> Connection:
    """The connection of `--connect webhook:FILE`.

    Raises:
        ProviderError: the file is missing, not TOML, or not a sound declaration.
    """
    path = where.inside(target)
    data = read_bytes(path)
    try:
        if len(data) > SIZE:
            raise ValueError(f"longer than {SIZE} bytes")  # noqa: TRY301, one message for both
        raw = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ProviderError(
            f"{path.name} is not a TOML file that can be read: {str(error)[:200]}",
            hint="correct the file; its form is in docs/missions.md",
        ) from None
    kept = declaration(raw)
    config = {"declaration": kept.model_dump(mode="json", exclude_none=True)}
    return Connection("webhook", kept.name or path.stem, config, where.work_dir)
