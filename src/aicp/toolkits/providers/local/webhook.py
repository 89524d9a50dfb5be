"""Calls to a web service that a declaration names; each leaves once, under its idempotency key.

Nothing of the other side can be copied or restored, so nothing here is exact: a call is made up
for by its declared compensating call (T4), or stays (T5). When the line breaks after a request
left, its read-back tells what became of it, where one is declared; else a person has to look.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from aicp.kernel.canonical import digest
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
from aicp.toolkits.providers.local.checked import checked
from aicp.toolkits.providers.local.courier import Courier, Request, outcome_of, requested
from aicp.toolkits.providers.local.done import Done
from aicp.toolkits.providers.local.files import locked
from aicp.toolkits.providers.local.left import Gone
from aicp.toolkits.providers.local.samples import sample
from aicp.toolkits.providers.local.templates import filled, filled_url
from aicp.toolkits.providers.local.webhook_file import Compensation, Endpoint, declaration
from aicp.toolkits.providers.local.webhook_tools import tools_of, undo_of

UNSEEN = "unseen"  # the version of what cannot be looked at


class LocalWebhook:
    """The declared calls of one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._declared = declaration(dict(connection.config.get("declaration", {})))
        self._tools = tools_of(self._declared)
        self._courier = Courier(connection, self._declared)
        self._done = Done(connection.work_dir, f"webhook {connection.account}")

    def tools(self) -> tuple[ToolSpec, ...]:
        return self._tools

    def describe(self) -> Resource:
        """What is declared; the other side is not asked, since any request may change it."""
        return Resource(
            toolkit="webhook",
            account=self.connection.account,
            title=f"{self.connection.account}: {len(self._tools)} calls",
            version=self.state_hash(),
            tools=tuple(tool.name for tool in self._tools),
            facts={tool.name: tool.description for tool in self._tools},
        )

    def read(self, call: Call) -> Json:
        checked(self._tools, call, mutates=False)
        result = self._courier.read(self._request(call))
        if problem := unlike(self._endpoint(call), result):
            raise ProviderError(problem, hint="correct the declaration, or ask the other side")
        return {"result": result}

    def before(self, call: Call) -> BeforeImage:
        """Nothing of the other side; here it is noted that the request has not left yet."""
        checked(self._tools, call, mutates=True)
        self._request(call)
        if call.key:
            self._courier.left.ready(call.key)
        return BeforeImage(UNSEEN)

    def execute(self, call: Call, before: BeforeImage) -> Outcome:  # noqa: ARG002, there is none
        checked(self._tools, call, mutates=True)
        if not call.key:
            raise ProviderError(f"{call.tool} needs an idempotency key, or it could happen twice")
        with self._alone(call.key):
            known = self._done.outcome(call)
            if known is None:
                known = self._courier.deliver(self._request(call), call.key)
                self._done.remember(call, known)
        return known

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:  # noqa: ARG002
        """The answer against its declaration, and the read-back; it never fails a call that was made."""
        endpoint, result = self._endpoint(call), outcome.data.get("result")
        problems = [str(outcome.data.get("unreadable", "")), unlike(endpoint, result)]
        if endpoint.compensate:
            problems.append(self._unfillable(call, endpoint.compensate, result))
        if endpoint.read_back:
            found = self._courier.look(self._request(call))
            unknown = f"{self.connection.account} does not know the call it accepted"
            problems.append(unknown if found.found is Found.NOT_DONE else found.why)
        return tuple(problem for problem in problems if problem)

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:  # noqa: ARG002
        checked(self._tools, call, mutates=True)
        known = self._done.outcome(call)
        if known is not None:
            return Reconciled(Found.DONE, known)
        if call.key and self._courier.left.gone(call.key) is Gone.NOT:
            return Reconciled(Found.NOT_DONE)
        return self._courier.look(self._request(call))

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:  # noqa: ARG002
        """Make the compensating call, once. The status is never better than IMPOSSIBLE:
        what happened is made up for (`residue` says so), not restored.
        """
        checked(self._tools, call, mutates=True)
        endpoint = self._endpoint(call)
        if endpoint.compensate is None:
            return _stays(undo_of(endpoint))
        again = Call(f"{call.tool}.undo", call.args, f"{call.key}.undo")
        with self._alone(again.key):
            if self._done.outcome(again) is None:
                why = self._compensate(call, again, endpoint.compensate, outcome)
                if why:
                    return _stays(why)
        made = f"{call.tool} was {undo_of(endpoint)}"
        return UndoResult(UndoStatus.IMPOSSIBLE, residue=made, why="it was made up for, not undone")

    def release(self, call: Call, outcome: Outcome) -> Outcome:  # noqa: ARG002, the protocol's form
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def reconcile_release(self, call: Call, outcome: Outcome) -> Reconciled:  # noqa: ARG002
        raise ProviderError(f"{call.tool} holds nothing back, so there is nothing to release")

    def state_hash(self) -> str:
        """Of the declaration: the other side's state is not ours to see."""
        return digest(self._declared.model_dump(mode="json"))

    @contextmanager
    def rehearsal(self) -> Iterator[LocalWebhook]:
        """A dry run: the same checks, answers made up from the declaration, and nothing sent."""
        yield DryWebhook(self.connection)

    def _endpoint(self, call: Call) -> Endpoint:
        return self._declared.endpoints[call.tool.removeprefix("webhook.")]

    def _request(self, call: Call) -> Request:
        one = self._endpoint(call)
        values = {"key": call.key or "key", "args": call.args}
        return requested(one.method, one.url, call.args, one.read_back, values)

    def _alone(self, key: str):  # noqa: ANN202, the lock's own type
        return locked(self.connection.work_dir, f"webhook {self.connection.account} {key}")

    def _compensate(self, call: Call, again: Call, made_up: Compensation, outcome: Outcome) -> str:
        """Why it could not be made up for, "" when it was.

        Raises:
            ProviderError: for now only; another undo goes on here.
        """
        try:
            request = _compensating(made_up, call, again.key, self._result(call, outcome))
            done = self._courier.deliver(request, again.key)
        except ProviderError as error:
            if error.retryable or error.auth_expired:
                raise
            tried = "may or may not have been made up for" if error.unknown else "stays"
            return f"{call.tool} {tried}: {error.message}"
        self._done.remember(again, done)
        return ""

    def _result(self, call: Call, outcome: Outcome) -> Any:
        """The call's answer; read back when only a person's word says that it happened."""
        if "result" not in outcome.data:
            found = self._courier.look(self._request(call))
            return found.outcome.data["result"] if found.outcome else None
        return outcome.data["result"]

    def _unfillable(self, call: Call, made_up: Compensation, result: Any) -> str:
        try:
            _compensating(made_up, call, f"{call.key}.undo", result)
        except ProviderError as error:
            return f"{call.tool} could not be made up for: {error.message}"
        return ""


class DryWebhook(LocalWebhook):
    """The rehearsal of a webhook: it has no way to send anything."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._made: dict[str, Outcome] = {}

    def read(self, call: Call) -> Json:
        checked(self._tools, call, mutates=False)
        return {"result": sample(self._endpoint(call).answer), "dry_run": True}

    def before(self, call: Call) -> BeforeImage:
        checked(self._tools, call, mutates=True)
        self._request(call)
        return BeforeImage(UNSEEN)

    def execute(self, call: Call, before: BeforeImage) -> Outcome:  # noqa: ARG002
        checked(self._tools, call, mutates=True)
        made = outcome_of(sample(self._endpoint(call).answer))
        dry = Outcome({**made.data, "dry_run": True}, made.version)
        return self._made.setdefault(digest([call.tool, call.args, call.key]), dry)

    def verify(self, call: Call, before: BeforeImage, outcome: Outcome) -> tuple[str, ...]:  # noqa: ARG002
        compensate = self._endpoint(call).compensate
        why = self._unfillable(call, compensate, outcome.data["result"]) if compensate else ""
        return (why,) if why else ()

    def reconcile(self, call: Call, before: BeforeImage) -> Reconciled:  # noqa: ARG002
        checked(self._tools, call, mutates=True)
        made = self._made.get(digest([call.tool, call.args, call.key]))
        return Reconciled(Found.DONE if made else Found.NOT_DONE, made)

    def undo(self, call: Call, before: BeforeImage, outcome: Outcome) -> UndoResult:  # noqa: ARG002
        """What the real undo would come to."""
        checked(self._tools, call, mutates=True)
        return _stays(f"dry run, nothing was sent; in earnest: {undo_of(self._endpoint(call))}")


def unlike(endpoint: Endpoint, result: Any) -> str:
    """How an answer differs from its declaration, "" when it does not."""
    problem = best_match(Draft202012Validator(endpoint.answer).iter_errors(result))
    if problem is None:
        return ""
    place = ".".join(str(part) for part in problem.absolute_path) or "as a whole"
    return f"the answer is not as declared: {place}: {problem.message[:200]}"


def _compensating(made_up: Compensation, call: Call, key: str, result: Any) -> Request:
    values = {"key": call.key, "args": call.args, "result": result}
    url, body = filled_url(made_up.url, values), filled(made_up.body, values)
    back = {"key": key, "args": call.args}
    return requested(made_up.method, url, body, made_up.read_back, back)


def _stays(why: str) -> UndoResult:
    return UndoResult(UndoStatus.IMPOSSIBLE, why=why)
