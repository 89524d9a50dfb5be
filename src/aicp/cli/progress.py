"""Following a mission: every event as a line while it happens, until the mission wants a person or is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import click

from aicp.cli.render import Look, bold, clean, dim, fit, tint, when
from aicp.client import Client
from aicp.errors import UpstreamDown

Doc = dict[str, Any]
Event = dict[str, Any]
PAGE = 500  # events a request
GIVE_UP_SECONDS = 60.0  # of a server that does not come back

# What each event says; its context fills the braces. "" is not worth a line: another event says it.
SAYS = {
    "followup_scheduled": "follow-up {followup_id} asked for, priority {priority}",
    "followup_opened": "follow-up {followup_id} is issue {issue_id}",
    "intent_submitted": "mission received, {intent_length} characters",
    "composio_discovery": "looked at {toolkit_count} connections, read only",
    "brief_generated": "brief with {chip_count} chips, read by {brain}",
    "brief_item_modified": "brief changed: {chip_type} {edit_type}",
    "safeguard_reviewed": "{safeguard_count} safeguards acknowledged ({capacity})",
    "mission_brief_locked": "brief locked after {edits_before_lock} edits",
    "toolkit_recommended": "",
    "toolkit_connected": "{toolkit_slug} connected: {scopes_granted}",
    "data_preview_generated": "{toolkit}: {sample_count} rows read",
    "readiness_status_changed": "coverage {coverage_percent} %, {status}",
    "governance_override_requested": "coverage gate overridden by governance",
    "planner_candidate_generated": "play {play_id}, score {confidence}",
    "plan_ranked": "",
    "plan_selected": "play {play_id} chosen, digest {plan_digest}",
    "validator_scope_check": "scopes {alignment_status}",
    "approval_requested": "approval asked of: {approver_roles}",
    "approval_granted": "approved by the {approver_role}",
    "approval_rejected": "plan rejected",
    "approval_refused": "refused: {rule}",
    "approval_voided": "approval void: {reason}",
    "execution_started": "run begins, {action_count} calls",
    "composio_tool_call": "",
    "composio_tool_call_error": "a call failed: {recovery_action}",
    "validator_alert_raised": "finding: {safeguard_id}",
    "validator_auto_fix_applied": "step {step} mended by {safeguard_id}: {fix}",
    "safeguard_tightened": "safeguard {safeguard_id} ({kind}) is narrower from now on",
    "safeguard_widening_asked": "safeguard {safeguard_id} ({kind}) is to be wider: the run waits for an approval",
    "execution_paused": "run paused: {reason}",
    "execution_resumed": "run goes on from step {at_step}",
    "execution_stopped": "run stopped at step {at_step}",
    "execution_completed": "{succeeded} calls done, {held} held",
    "undo_available": "{steps} steps can be taken back",
    "consent_given": "a person consented to a sign-in to {toolkit}",
    "composio_auth_flow": "sign-in to {toolkit}: {status}",
    "approval_delegated": "the decision as {capacity} was handed on",
    "approval_reminder": "{minutes_left} minutes are left to decide: {approver_roles}",
    "approval_expired": "nobody decided in time: the request expired",
    "approval_exported": "the approval sheet was taken out ({format})",
    "undo_tried": "undo tried on copies: {steps} steps",
    "undo_window_closed": "the undo window is closed; {held} effects were held",
    "undo_requested": "undo begins",
    "undo_completed": "undo {outcome}: {actions_reversed} steps taken back",
    "artifact_published": "",
    "evidence_bundle_generated": "evidence sealed ({occasion}), manifest {manifest_hash}",
    "mission_retrospective_logged": "",
    "mission_completed": "mission completed in {total_duration_seconds} s",
    "feedback_submitted": "feedback: {rating} of 5",
    "coordinator_error": "{stage} cannot go on: {error_code}",
    "session_heartbeat": "",
    "toolkit_breaker_opened": "{toolkit} rests until {resume_at}: {failed_calls} calls failed in a row",
    "toolkit_breaker_half_open": "one call tries whether {toolkit} is well again",
    "toolkit_breaker_closed": "{toolkit} is well again",
    "kill_switch_pulled": "kill switch pulled: {scope} {toolkit}",
    "kill_switch_lifted": "kill switch lifted: {scope} {toolkit}",
    "mission_throttled": "waits until {resume_at}: {rule} of {toolkit}",
    "agent_token_issued": "an agent may come for {hours} hours",
    "agent_token_revoked": "{count} agent tokens taken back",
    "agent_plan_proposed": "an agent proposes a plan of {step_count} calls",
    "agent_call_denied": "an agent's call was denied: {rule}",
}
# After these the mission may want a person, or be over.
TURNING = {
    "brief_generated", "readiness_status_changed", "plan_ranked", "approval_requested",
    "mission_stage_transition", "execution_paused", "execution_stopped", "execution_completed",
    "evidence_bundle_generated", "undo_completed", "mission_completed", "coordinator_error",
}  # fmt: skip


def settled(mission: Doc) -> bool:
    """Whether only a person or a timer moves the mission on: waiting, blocked, held, over, undone."""
    state = mission["run_state"]
    if state in ("running", "undoing"):
        return False
    return mission["status"] in ("ready", "blocked", "completed") or state in (
        "held",
        "undone",
        "undone_partly",
    )


class Teller:
    """Events as lines. Knows the plan's steps, so that a call is told with whom it concerns."""

    def __init__(self, client: Client, mission_id: str, look: Look) -> None:
        self.client, self.mission_id, self.look = client, mission_id, look
        self.steps: dict[int, Doc] = {}

    def line(self, event: Event) -> str:
        """One line, "" for an event that says nothing new."""
        text = self._text(event)
        if not text:
            return ""
        clock = when(event["at"], self.look, "%H:%M:%S")
        icon = {"error": tint("fail"), "warning": tint("warn"), "success": tint("ok")}
        mark = icon.get(event["status"], "  ")
        return f"{dim(clock)}  {mark + ' ' * (4 - len(click.unstyle(mark)))}  {text}"

    def _text(self, event: Event) -> str:
        name, context = event["event"], event["context"]
        if name == "mission_stage_transition":
            back = "back to " if context["status"] == "rolled_back" else ""
            return bold(f"{back}{context['to']}")
        if name == "execution_step_completed":
            state = context["status"] if context["status"] != "done" else ""
            return self._step(
                context["action_id"], f"gate ok  {context['duration_ms']} ms  {state}"
            )
        if name == "undo_step_completed":
            return self._step(context["action_id"], f"undo: {context['status']}")
        if name == "hold_released":
            return self._step(context["action_id"], "has left")
        says: str = SAYS[name] if name in SAYS else name.replace("_", " ")
        return clean(says.format_map(_Told(context)))

    def _step(self, seq: int, verdict: str) -> str:
        step, room = self._known(seq), self._room()
        of = f"{seq:>3}/{len(self.steps)}"
        subject = fit(clean(step.get("subject", "")), room)
        tool, tier = step.get("tool", ""), step.get("undo_tier", "")
        return f"{of}  {tool:<14}  {tier:<2}  {subject:<{room}}  {clean(verdict)}".rstrip()

    def _room(self) -> int:
        """What the other columns leave to the subject of a call."""
        return min(44, max(12, self.look.width - 60)) if self.look.fits else 44

    def _known(self, seq: int) -> Doc:
        if seq not in self.steps:
            document = self.client.get(f"/api/missions/{self.mission_id}")
            self.steps = {step["seq"]: step for step in document["run"]["steps"]}
        return self.steps.get(seq, {})


class _Told(dict[str, Any]):
    """Context values as a person writes them: lists joined, hashes short, numbers rounded."""

    def __getitem__(self, key: str) -> str:
        value = self.get(key, "?")
        if isinstance(value, list):
            return ", ".join(map(str, value))
        if isinstance(value, float):
            return f"{value:.2f}".rstrip("0").rstrip(".")
        text = str(value)
        return text[:16] if len(text) == 64 else text


def follow(
    client: Client, mission_id: str, tell: Callable[[Event], None], *, after: int = 0,
    until: Callable[[Doc], bool] = settled, notice: Callable[[str], None] = lambda _text: None,
) -> Doc:  # fmt: skip
    """Tell every event after an id, then each new one, until the mission's document satisfies `until`.

    A broken connection is taken up again from the last event seen.

    Raises:
        UpstreamDown: the server stayed away for a minute.
    """
    path, seen, heard_at = f"/api/missions/{mission_id}", after, time.monotonic()

    def hear(event: Event) -> None:
        nonlocal seen
        tell(event)
        seen = event["id"]

    while True:
        try:
            _catch_up(client, path, seen, hear)
            document = client.get(path)
            heard_at = time.monotonic()
            if until(document):
                return document
            _listen(client, path, seen, hear, until)
        except UpstreamDown as error:
            if time.monotonic() - heard_at > GIVE_UP_SECONDS:
                raise
            notice(f"{error.message}; trying again from event {seen}")
            time.sleep(1)


def newest(client: Client, mission_id: str) -> int:
    """The id of the last event so far, to follow only what comes."""
    return _catch_up(client, f"/api/missions/{mission_id}", 0, lambda _event: None)


def _catch_up(client: Client, path: str, after: int, tell: Callable[[Event], None]) -> int:
    """Everything recorded so far, page by page."""
    while page := client.get(f"{path}/events", after=after, limit=PAGE):
        for event in page:
            tell(event)
            after = event["id"]
    return after


def _listen(
    client: Client, path: str, after: int, tell: Callable[[Event], None],
    until: Callable[[Doc], bool],
) -> None:  # fmt: skip
    """Live events until the document may satisfy `until`, or the stream ends."""
    with closing(client.pulse(f"{path}/stream", after=after)) as pulse:
        for event in pulse:
            if event is not None:
                tell(event)
            if (event is None or event["event"] in TURNING) and until(client.get(path)):
                return
