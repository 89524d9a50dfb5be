"""The routes of the sandbox: Composio's API v3.1, the pages of Connect Links, and the control routes."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aicp.kernel.clock import Clock, system_clock
from aicp.toolkits.sandbox.composio import consent, pages, shapes
from aicp.toolkits.sandbox.composio.answers import MARK, as_error, as_html, as_json, body_of, paged
from aicp.toolkits.sandbox.composio.kit import VERSION, Json, Refused, Tool
from aicp.toolkits.sandbox.composio.knobs import Knobs
from aicp.toolkits.sandbox.composio.store import LOGS, TOOLKITS, TOOLS, Store, new_id

KEY = "aicp-sandbox"  # opens every sandbox and nothing else
API = "/api/v3.1"


class Sandbox:
    """One sandbox folder being served. All work is done between awaits, so calls never mix."""

    def __init__(
        self, folder: Path, *, clock: Clock = system_clock, keys: tuple[str, ...] = (KEY,)
    ) -> None:
        self.store = Store(folder)
        self.knobs = Knobs(folder)
        self._clock = clock
        self._keys = keys

    def asgi(self) -> Starlette:
        """The application to serve."""
        api = {
            ("GET", "/tools"): self.tools,
            ("GET", "/tools/{slug}"): self.tool,
            ("POST", "/tools/execute/{slug}"): self.execute,
            ("GET", "/toolkits"): self.toolkits,
            ("GET", "/toolkits/{slug}"): self.toolkit,
            ("GET", "/auth_configs"): self.auth_configs,
            ("POST", "/auth_configs"): self.add_auth_config,
            ("GET", "/connected_accounts"): self.accounts,
            ("POST", "/connected_accounts"): self.retired,
            ("POST", "/connected_accounts/link"): self.link,
            ("GET", "/connected_accounts/{key}"): self.account,
            ("DELETE", "/connected_accounts/{key}"): self.delete_account,
            ("POST", "/connected_accounts/{key}/revoke"): self.revoke,
            ("PATCH", "/connected_accounts/{key}/status"): self.set_status,
        }
        control = {
            ("GET", "/sandbox/state"): self.show,
            ("POST", "/sandbox/reset"): self.reset,
            ("POST", "/sandbox/edit"): self.edit,
            ("PUT", "/sandbox/knobs"): self.set_knobs,
        }
        routes = [
            Route(path, self._checked(act), methods=[method])
            for (method, path), act in {(m, API + p): a for (m, p), a in api.items()}.items()
        ] + [
            Route(path, self._checked(act), methods=[method])
            for (method, path), act in control.items()
        ]
        routes += [
            Route("/", self.front),
            Route("/link/{token}", self.ask, methods=["GET"]),
            Route("/link/{token}", self.answer, methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={404: _nothing_here})

    # --- discovery ---

    async def tools(self, request: Request) -> Response:
        query = request.query_params
        kits = {slug for slug in query.get("toolkit_slug", "").lower().split(",") if slug}
        slugs = {slug for slug in query.get("tool_slugs", "").upper().split(",") if slug}
        if kits - TOOLKITS.keys() or self.knobs.take(",".join(sorted(kits)) or "*", "not_found"):
            raise Refused(f"Toolkit {', '.join(sorted(kits))} not found", 404)
        items = [
            shapes.tool(kit, tool)
            for slug, (kit, tool) in TOOLS.items()
            if (not slugs or slug in slugs) and (not kits or kit.slug in kits)
        ]
        words = query.get("query") or query.get("search") or ""
        return as_json(paged(shapes.matching(items, words), query))

    async def tool(self, request: Request) -> Response:
        kit, tool = self._tool(request.path_params["slug"])
        return as_json(shapes.tool(kit, tool))

    async def toolkits(self, request: Request) -> Response:
        query = request.query_params
        items = [shapes.toolkit(kit) for kit in TOOLKITS.values()]
        return as_json(paged(shapes.matching(items, query.get("search", "")), query))

    async def toolkit(self, request: Request) -> Response:
        slug = request.path_params["slug"].lower()
        if slug not in TOOLKITS or self.knobs.take(slug, "not_found"):
            raise Refused(f"Toolkit {slug[:80]} not found", 404)
        return as_json(shapes.toolkit_details(TOOLKITS[slug]))

    # --- consent ---

    async def auth_configs(self, request: Request) -> Response:
        wanted = request.query_params.get("toolkit_slug", "").lower()
        known = self.store.state["auth_configs"].values()
        items = [shapes.auth_config(one) for one in known if wanted in ("", one["toolkit"])]
        return as_json(paged(items, request.query_params))

    async def add_auth_config(self, request: Request) -> Response:
        asked = await body_of(request)
        with self.store.change() as state:
            made = consent.add_config(state, asked)
        told = {"id": made["id"], "auth_scheme": "OAUTH2", "is_composio_managed": True}
        return as_json({"toolkit": {"slug": made["toolkit"]}, "auth_config": told}, 201)

    async def accounts(self, request: Request) -> Response:
        query = request.query_params
        wanted = {
            "status": query.getlist("statuses"),
            "user_id": query.getlist("user_ids"),
            "auth_config": query.getlist("auth_config_ids"),
            "toolkit": query.getlist("toolkit_slugs"),
        }
        items = [
            shapes.account(one)
            for one in self.store.state["accounts"].values()
            if all(not values or one[name] in values for name, values in wanted.items())
        ]
        return as_json(paged(items, query))

    async def retired(self, _request: Request) -> Response:
        raise Refused(
            "Creating connections on this endpoint for Composio-managed OAuth auth configs is no longer"
            " supported. Use POST /api/v3/connected_accounts/link instead.",
        )

    async def link(self, request: Request) -> Response:
        asked = await body_of(request)
        base = str(request.base_url).rstrip("/")
        with self.store.change() as state:
            made = consent.start_link(state, asked, base=base, now=self._clock())
        told = {
            "link_token": made["token"],
            "redirect_url": made["url"],
            "expires_at": made["expires_at"],
            "connected_account_id": made["id"],
        }
        return as_json(told, 201)

    async def account(self, request: Request) -> Response:
        one = consent.account_of(self.store.look(), request.path_params["key"], now=self._clock())
        return as_json(shapes.account(one))

    async def delete_account(self, request: Request) -> Response:
        with self.store.change() as state:
            consent.account_of(state, request.path_params["key"], now=self._clock())
            del state["accounts"][request.path_params["key"]]
        return as_json({"success": True})

    async def revoke(self, request: Request) -> Response:
        with self.store.change() as state:
            one = consent.account_of(state, request.path_params["key"], now=self._clock())
            one |= {
                "status": "REVOKED",
                "reason": "Revoked via user-initiated revoke endpoint",
                "granted": [],
            }
        return as_json({"id": one["id"], "status": "REVOKED", "success": True})

    async def set_status(self, request: Request) -> Response:
        asked = await body_of(request)
        with self.store.change() as state:
            one = consent.account_of(state, request.path_params["key"], now=self._clock())
            if one["status"] in ("ACTIVE", "INACTIVE"):
                one["status"] = "ACTIVE" if asked.get("enabled") else "INACTIVE"
        return as_json({"success": True})

    async def ask(self, request: Request) -> Response:
        account = self._linked(request)
        if account is None:
            return as_html(pages.unknown(), 404)
        return as_html(
            pages.ask(account) if account["status"] == "INITIATED" else pages.answered(account)
        )

    async def answer(self, request: Request) -> Response:
        form = await request.form()
        account = self._linked(request)
        if account is None:
            return as_html(pages.unknown(), 404)
        scopes = [str(scope) for scope in form.getlist("scope")]
        knob = self.knobs.take(account["toolkit"], "narrower", "broader", "fails")
        with self.store.change() as state:
            one = consent.account_of(state, account["id"], now=self._clock())
            try:
                consent.decide(one, str(form.get("decision", "deny")), scopes, knob)
            except Refused as refused:
                return as_html(pages.answered(one), refused.status)
        return as_html(pages.answered(one))

    def _linked(self, request: Request) -> Json | None:
        state = self.store.look()
        key = state["links"].get(request.path_params["token"])
        known = key in state["accounts"]
        return consent.account_of(state, key, now=self._clock()) if known else None

    # --- execution ---

    async def execute(self, request: Request) -> Response:
        """Run a tool. As with the real one, the same request twice is the effect twice."""
        slug, header = (
            request.path_params["slug"].upper(),
            request.headers.get("x-sandbox-knob", ""),
        )
        asked = await body_of(request)

        def knob(*does: str) -> Json | None:
            return self.knobs.take(slug, *does, header=header)

        early = knob("rate_limit", "server_error", "not_found", "auth_expired")
        if early is not None:
            return self._early(early, asked)
        _, tool = self._tool(slug)
        answer = self._run(tool, asked)
        if added := knob("injected"):
            answer["data"] = _with_text(answer["data"], str(added.get("text", "")))
        if late := knob("slow", "lost", "malformed"):
            return await _late(late, answer)
        return as_json(answer)

    def _early(self, knob: Json, asked: Json) -> Response:
        if knob["do"] == "rate_limit":
            after = {"retry-after": str(knob.get("retry_after", 1))}
            return as_error("Rate limit exceeded", 429, slug="RateLimit_Exceeded", headers=after)
        if knob["do"] == "not_found":
            return as_error("Tool not found", 404, slug="Tool_ToolNotFound")
        if knob["do"] == "auth_expired":
            with self.store.change() as state:
                one = state["accounts"].get(asked.get("connected_account_id"), {})
                one |= {"status": "EXPIRED", "reason": "Permanent auth error during token refresh"}
            return as_error("Connected account is expired", 401, slug="ConnectedAccount_Expired")
        return as_error("The service is down", int(knob.get("status", 503)))

    def _run(self, tool: Tool, asked: Json) -> Json:
        """The effect and its answer. A tool that says no answers 200 with successful false."""
        kit, args = TOOLS[tool.slug][0], asked.get("arguments") or {}
        if asked.get("version") not in (None, VERSION, "latest"):
            raise Refused(f"Version {str(asked['version'])[:40]} not found", 404)
        if not kit.no_auth:
            consent.may_use(self.store.look(), asked, kit.slug, now=self._clock())
        with self.store.look_at() if tool.reads else self.store.change() as state:
            log = new_id(state, "log_")
            try:
                _check(tool, args)
                consent.in_scope(state, asked, tool.scopes)
                data = tool.act(state["data"][kit.slug], args, lambda prefix: new_id(state, prefix))
                answer: Json = {"data": deepcopy(data), "successful": True, "error": None}
            except Refused as refused:
                told = {"message": refused.message, "status_code": refused.status}
                answer = {"data": told, "successful": False, "error": refused.message}
            entry = {"log_id": log, "tool": tool.slug, "at": self._clock().isoformat()}
            state["logs"] = [*state["logs"], entry | {"successful": answer["successful"]}][-LOGS:]
        return answer | {"log_id": log}

    def _tool(self, slug: str) -> tuple[Any, Tool]:
        slug = slug.upper()
        if slug not in TOOLS or self.knobs.take(slug, "not_found"):
            raise Refused(f"Tool {slug[:80]} not found", 404)
        return TOOLS[slug]

    # --- control ---

    async def front(self, _request: Request) -> Response:
        return as_html(
            "<!doctype html><title>Sandbox</title><h1>SANDBOX</h1><p>This server speaks Composio's protocol"
            " for fictional accounts. Set <code>COMPOSIO_BASE_URL</code> to its address.</p>"
        )

    async def show(self, _request: Request) -> Response:
        return as_json(self.store.state)

    async def reset(self, _request: Request) -> Response:
        self.knobs.set([])
        self.store.reset()
        return as_json({"success": True})

    async def edit(self, request: Request) -> Response:
        """Somebody else changes a record: {"path": ["gmail", "drafts", id, …], "value": …}; null removes."""
        asked = await body_of(request)
        *way, last = asked["path"]
        with self.store.change() as state:
            place: Any = state["data"]
            for part in way:
                place = place[part]
            if asked.get("value") is None:
                del place[last]
            else:
                place[last] = asked["value"]
        return as_json({"success": True})

    async def set_knobs(self, request: Request) -> Response:
        self.knobs.set((await body_of(request))["rules"])
        return as_json({"success": True})

    def _checked(
        self, act: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The act behind the key check; a refusal becomes Composio's error envelope."""

        async def checked(request: Request) -> Response:
            given = request.headers.get("x-api-key", "").encode()
            if not any(hmac.compare_digest(given, key.encode()) for key in self._keys):
                return as_error("Invalid API key", 401, slug="Auth_InvalidApiKey")
            try:
                return await act(request)
            except Refused as refused:
                return as_error(refused.message, refused.status, slug=_slug(refused))
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                # A request of another form; nothing was changed, as a change is whole or not at all.
                return as_error(f"Invalid request data provided: {error}", 400, slug="BadRequest")

        return checked


def _slug(refused: Refused) -> str:
    if "onnected account" in refused.message:
        return f"ConnectedAccount_{'Expired' if refused.status == 401 else 'NotFound'}"
    return {404: "NotFound", 403: "Forbidden"}.get(refused.status, "BadRequest")


def _check(tool: Tool, args: Json) -> None:
    problem = best_match(Draft202012Validator(tool.takes).iter_errors(args))
    if problem is not None:
        raise Refused(f"Invalid request data provided: {problem.message[:200]}")


async def _late(knob: Json, answer: Json) -> Response:
    if knob["do"] == "slow":
        await asyncio.sleep(float(knob.get("seconds", 1)))
        return as_json(answer)
    if knob["do"] == "malformed":
        text = json.dumps(answer)
        return Response(text[: len(text) // 2], headers=MARK, media_type="application/json")
    return as_error("Bad gateway", int(knob.get("status", 502)))


def _with_text(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {key: _with_text(part, text) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_text(part, text) for part in value]
    return f"{value} {text}" if isinstance(value, str) else value


async def _nothing_here(_request: Request, _problem: Exception) -> Response:
    return as_error("Not found", 404, slug="NotFound")
