"""What is wanted: verbs and nouns of the plays, and the parameters said beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from aicp.brain.brief import Goal
from aicp.brain.playbook import examples, goal_words
from aicp.brain.reading import NEGATION, Part, Range, Reading
from aicp.brain.text import name_words
from aicp.brain.vocabulary import one_of

MAIL = r"(?:e-?mails?|mails?|messages?|letters?|newsletters?)"
DRAFTS = re.compile(
    r"\b(?:only\s+(?:prepare\s+|write\s+)?drafts?|drafts?\s+only|just\s+(?:prepare\s+|write\s+)?drafts?"
    rf"|(?:do\s+not|don't|never|without|no)\s+send(?:ing)?(?:\s+(?:anything|them|it|{MAIL}))*(?:\s+yet)?)\b"
)
CALENDAR = re.compile(
    rf"\b(?:calendar\s+only|only\s+(?:calendar|follow-?ups?)|no\s+{MAIL}|without\s+(?:any\s+)?{MAIL})\b"
)
CHANNEL = re.compile(
    rf"\b(?:(?:send|write|draft|prepare|schedule|put|add|create)\s+)?(?:(?:them|out|an|a|the|some|by|via|with|of)\s+)*"
    rf"(?:{MAIL}|drafts?|follow-?ups?(?:\s+events?)?|calendar(?:\s+events?)?|reminders?)\b"
    r"|\b(?:send|write\s+to|schedule|draft|email|mail)\b"
)
QUOTED = re.compile(r"[\"“”«]([^\"“”«»]{3,2000})[\"“”»]")
TO = re.compile(r"\b(?:over\s+)?to\s+(?:the\s+)?$")
NEW_NAME = re.compile(r"\b(?:over\s+)?to\s+((?:[A-Z][\w'’-]+)(?:\s+[A-Z][\w'’-]+){0,2})")
SURVIVOR = re.compile(r"\bkeep(?:ing)?\s+(?:only\s+)?(?:the\s+)?(oldest|newest|latest|earliest|first|last|most\s+complete)\b"
                      r"(?:\s+(?:one|row|record|entry))?")  # fmt: skip
SAME = re.compile(r"\b(?:by|with\s+(?:the\s+)?same|sharing\s+(?:the\s+|an?\s+)?(?:same\s+)?)\s*$")


Message = tuple[str, Range]


@dataclass(slots=True)
class Candidate:
    """A goal some words ask for. Strong: the verb alone, or verb and noun, name it."""

    goal: str
    ranges: list[Range]
    verb: str
    rule: str
    weight: int
    params: dict[str, Any] = field(default_factory=dict)


def read_goal(r: Reading, message: Message | None) -> tuple[Goal, Part] | None:
    """The objective; two different ones, or none, are a question."""
    found = _candidates(r)
    if not found:
        r.ask("What should be done is not clear. " + _can_do(), None, examples()[:6])
        return None
    best = max(found, key=lambda c: (c.weight, -c.ranges[0][0]))
    rival = next((c for c in found if c.goal != best.goal and c.weight == best.weight), None)
    if rival and not _overlaps(best, rival):
        words = [r.said(*c.ranges[0]) for c in (best, rival)]
        r.ask(f"One mission does one thing: '{words[0]}' or '{words[1]}' first?",
              rival.ranges[0], words)  # fmt: skip
    r.take(*best.ranges)
    if message:
        best.params["message"] = message[0]
        best.ranges.append(message[1])
    _parameters(r, best)
    title = best.goal.replace("_", " ").capitalize()
    told = "; ".join(f"{k}: {v}" for k, v in best.params.items() if k != "message")
    goal = Goal(goal=best.goal, verb=best.verb, params=best.params)
    return goal, Part(
        f"{title}{' (' + told + ')' if told else ''}", tuple(best.ranges), (best.rule,)
    )


def _can_do() -> str:
    return "This can be asked for: " + ", ".join(g.replace("_", " ") for g in goal_words()) + "."


def _candidates(r: Reading) -> list[Candidate]:
    found: list[Candidate] = []
    for goal, words in goal_words().items():
        if words.strong:
            for m in r.find(re.compile(rf"\b(?:{one_of(words.strong)})\b")):
                if not _negated(r, m.start()):
                    found.append(Candidate(goal, [m.span()], m.group(), "goal_verb", 3))
                    break
        pair = _pair(r, goal) if words.verbs else None
        if pair:
            found.append(pair)
    return found


def _pair(r: Reading, goal: str) -> Candidate | None:
    """Verb and noun of one goal in one clause, verb first."""
    words = goal_words()[goal]
    nouns = list(r.find(re.compile(rf"\b(?:{one_of(words.nouns)})\b")))
    for verb in r.find(re.compile(rf"\b(?:{one_of(words.verbs)})\b")):
        if _negated(r, verb.start()):
            continue
        end = r.clause(verb.start())[1]
        for noun in nouns:
            if verb.end() <= noun.start() and noun.end() <= end:
                weight = 1 if goal == "notify" else 4
                return Candidate(
                    goal, [verb.span(), noun.span()], verb.group(), "goal_verb_noun", weight
                )
    return None


def _negated(r: Reading, at: int) -> bool:
    lead = r.low[max(0, at - 12) : at]
    return re.search(rf"\b(?:{NEGATION.pattern[4:-3]})\s+$", lead) is not None


def _overlaps(a: Candidate, b: Candidate) -> bool:
    return any(s < y and x < e for s, e in a.ranges for x, y in b.ranges)


def read_message(r: Reading) -> Message | None:
    """Text in quotation marks: the person's own words for the mail. Read first of all, so that
    nothing inside it is taken for a wish."""
    for m in r.find(QUOTED):
        lead = r.low[max(0, m.start() - 24) : m.start()]
        if re.search(r"\b(?:saying|say|text|message|that|words|reading)\s*:?\s*$", lead):
            r.take(m.span())
            return r.intent[m.start(1) : m.end(1)], m.span()
    return None


def _parameters(r: Reading, best: Candidate) -> None:
    if best.goal in ("win_back", "notify"):
        _channel(r, best)
    elif best.goal == "reassign_owner":
        _new_owner(r, best)
    elif best.goal == "merge_duplicates":
        _duplicates(r, best)
    elif best.goal == "normalise_phones":
        _phone_column(r, best)


def _channel(r: Reading, best: Candidate) -> None:
    for pattern, channel in ((DRAFTS, "drafts"), (CALENDAR, "calendar")):
        for m in r.find(pattern):
            best.params["channel"] = channel
            _claim(r, best, m.span())
    for m in r.find(CHANNEL):
        if not _negated(r, m.start()) and not _counts(r, m.span()):
            _claim(r, best, m.span())


def _counts(r: Reading, at: Range) -> bool:
    """'fewer than 3 reminders': the word is a column of numbers or dates, not a way to write."""
    kinds = {"number", "money", "date", "datetime"}
    return any(
        m.start < at[1] and at[0] < m.end and any(r.column(c).kind in kinds for c in m.columns)
        for m in r.mentions
        if not m.is_value
    )


def _claim(r: Reading, best: Candidate, at: Range) -> None:
    r.take(at)
    best.ranges.append(at)


def _new_owner(r: Reading, best: Candidate) -> None:
    owner = {"owner", "rep", "manager", "assignee", "responsible"}
    columns = [c.name for c in r.columns if owner & set(name_words(c.name))]
    if len(columns) != 1:
        r.ask("Which column says who owns a row?", best.ranges[0], columns)
        return
    best.params["column"] = columns[0]
    for m in r.free_mentions():
        lead = TO.search(r.low[: m.start])
        if m.is_value and columns[0] in m.columns and lead:
            values = sorted({str(e.value) for e in m.entries if e.column == columns[0]})
            if len(values) > 1:
                r.ask(f"'{r.said(m.start, m.end)}' can be {' or '.join(values)}. Who gets the rows?",
                      (lead.start(), m.end), [f"to {v}" for v in values])  # fmt: skip
                return
            best.params["to"] = values[0]
            _claim(r, best, (lead.start(), m.end))
            return
    for m in NEW_NAME.finditer(r.intent):
        if r.free(*m.span()):
            best.params["to"], best.rule = m[1], "new_name"
            _claim(r, best, m.span())
            return
    r.ask("Who should own the rows afterwards?", best.ranges[0])


def _duplicates(r: Reading, best: Candidate) -> None:
    for m in list(r.free_mentions()):
        lead = SAME.search(r.low[: m.start])
        if not m.is_value and len(m.columns) == 1 and lead:
            best.params["columns"] = [*best.params.get("columns", []), m.columns[0]]
            _claim(r, best, (lead.start(), m.end))
    for m in r.find(SURVIVOR):
        said = re.sub(r"\s+", " ", m[1])
        best.params["keep"] = {"latest": "newest", "earliest": "oldest"}.get(said, said)
        _claim(r, best, m.span())


def _phone_column(r: Reading, best: Candidate) -> None:
    phones = [c.name for c in r.columns if c.kind == "phone"]
    if len(phones) == 1:
        best.params["column"] = phones[0]
    elif phones:
        said = {
            m.columns[0]
            for m in r.mentions
            if not m.is_value and m.columns[0] in phones and len(m.columns) == 1
        }
        if len(said) == 1:
            best.params["column"] = said.pop()
        else:
            r.ask("Which phone column is meant?", best.ranges[-1], phones)
    elif r.table:
        r.ask(
            f"{r.table.account} has no phone column, so there is nothing to normalise.",
            best.ranges[-1],
        )
