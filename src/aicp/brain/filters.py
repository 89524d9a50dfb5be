"""Which rows: comparisons, times, values, yes/no columns, empty cells; each in or out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from aicp.brain.amounts import AMOUNT, amount, is_money
from aicp.brain.brief import Condition
from aicp.brain.lexicon import Entry, Mention
from aicp.brain.reading import NEGATION, Part, Range, Reading, entity_words
from aicp.brain.vocabulary import data, one_of, word_set

COMPARE = {
    "no more than": "le", "not more than": "le", "no fewer than": "ge", "not less than": "ge", "no less than": "ge",
    "greater than or equal to": "ge", "less than or equal to": "le",
    "more than": "gt", "greater than": "gt", "bigger than": "gt", "higher than": "gt", "larger than": "gt",
    "older than": "gt", "longer than": "gt", "over": "gt", "above": "gt", "exceeding": "gt", "beyond": "gt",
    "less than": "lt", "fewer than": "lt", "smaller than": "lt", "lower than": "lt", "younger than": "lt",
    "under": "lt", "below": "lt",
    "at least": "ge", "minimum of": "ge", "minimum": "ge", "from": "ge", "at most": "le", "up to": "le",
    "maximum of": "le", "maximum": "le", "exactly": "eq", "equal to": "eq", "equals": "eq",
    ">=": "ge", "=>": "ge", "≥": "ge", "<=": "le", "≤": "le", ">": "gt", "<": "lt", "=": "eq",
}  # fmt: skip
WORDS = one_of(k for k in COMPARE if k[0].isalpha())
SIGNS = "|".join(re.escape(k) for k in sorted(COMPARE, key=len, reverse=True) if not k[0].isalpha())
COMPARISON = re.compile(
    rf"\bbetween\s+(?P<low>{AMOUNT})\s+(?:and|to)\s+(?P<high>{AMOUNT})"
    rf"|(?:\b(?P<word>{WORDS})\s+|(?P<sign>{SIGNS})\s*)(?P<n>{AMOUNT})"
    rf"|(?P<bare>{AMOUNT})(?P<after>\+|\s+(?:or\s+(?:more|over|above|less|fewer|under|below)))?"
    rf"(?:\s*(?:-|–|to)\s*(?P<upto>{AMOUNT}))?"
)
NUMERIC = ("number", "money")
COLUMN_BEFORE = re.compile(r"\s*(?:is|are|was|of|=|:|with)?\s*$")
COLUMN_AFTER = re.compile(r"^\s*(?:in\s+|of\s+|worth\s+of\s+)?(?:the\s+)?(?:annual\s+|yearly\s+)?$")


def read_comparisons(r: Reading) -> None:
    """'over $50k ARR', 'ARR between 10k and 20k', 'less than 3 employees', '10+ seats'."""
    for m in r.find(COMPARISON):
        said = _value(m)
        if said is None:
            continue
        op, value = said
        column = _column_of(r, m, bare=bool(m["bare"]) and not (m["after"] or m["upto"]))
        if column is None:
            continue
        name, rule, at = column
        condition = Condition.model_validate({"column": name, "op": op, "value": value})
        _file(r, condition, (rule,), (m.span(), at))


def _value(m: re.Match[str]) -> tuple[str, object] | None:
    if m["low"] or m["upto"]:
        low, high = amount(m["low"] or m["bare"]), amount(m["high"] or m["upto"])
        return None if low is None or high is None else ("between", [low, high])
    number = amount(m["n"] or m["bare"])
    if number is None:
        return None
    if m["bare"]:
        after = (m["after"] or "").strip()
        rising = after.startswith("+") or after.endswith(("more", "over", "above"))
        return ("ge" if rising else "le" if after else "eq"), number
    return COMPARE[re.sub(r"[\s\-]+", " ", m["word"]) if m["word"] else m["sign"]], number


def _column_of(r: Reading, m: re.Match[str], *, bare: bool) -> tuple[str, str, Range] | None:
    """(column, rule, its place): named after the number, before it, or the only money column."""
    beside = [
        (mention, entry)
        for mention in r.free_mentions()
        for entry in mention.entries
        if entry.value is None and r.column(entry.column).kind in NUMERIC
    ]
    for mention, entry in beside:
        if COLUMN_AFTER.match(r.low[m.end() : mention.start]) and mention.start >= m.end():
            return _sure(r, beside, mention, entry)
    for mention, entry in beside:
        if mention.end <= m.start() and COLUMN_BEFORE.fullmatch(r.low[mention.end : m.start()]):
            return _sure(r, beside, mention, entry)
    money = [c.name for c in r.columns if c.kind == "money"]
    if is_money(m.group()) and not bare and money:
        if len(money) == 1:
            return money[0], "only_money", m.span()
        r.ask(f"'{m.group().strip()}' could be any of the columns {', '.join(money)}. Which one?",
              m.span(), [f"{m.group().strip()} {name}" for name in money])  # fmt: skip
    return None


def _sure(
    r: Reading, beside: list[tuple[Mention, Entry]], mention: Mention, entry: Entry
) -> tuple[str, str, Range] | None:
    same = {e.column for other, e in beside if other is mention}
    if len(same) == 1:
        return entry.column, entry.rule, (mention.start, mention.end)
    at = (mention.start, mention.end)
    r.ask(f"'{r.said(*at)}' could be any of the columns {', '.join(sorted(same))}. Which one?",
          at, sorted(same))  # fmt: skip
    return None


def _file(
    r: Reading, condition: Condition, rules: tuple[str, ...], ranges: Iterable[Range],
    *, out: bool | None = None,
) -> None:  # fmt: skip
    """File a condition; a 'not' or 'skip' whose scope reaches it turns it into an exclusion."""
    places = sorted(ranges)
    mark = r.negation_before(places[0][0]) if out is None else None
    if mark:
        places.insert(0, mark)
    part = Part(condition_text(condition), tuple(places), rules)
    r.take(*places)
    r.filters.add(condition, part, out=bool(mark) if out is None else out)


def read_values(r: Reading) -> None:
    """Values and yes/no columns the words mention; neighbours of one column become one list."""
    read_blanks(r)
    for group in _groups(r, [m for m in r.free_mentions() if m.is_value]):
        _file_values(r, group)
    _bound_values(r)
    _flags(r)


def _groups(r: Reading, mentions: list[Mention]) -> list[list[Mention]]:
    """'Germany, Austria or Spain' belongs together: same column, only list words between."""
    groups: list[list[Mention]] = []
    for m in mentions:
        last = groups[-1][-1] if groups else None
        gap = r.low[last.end : m.start] if last else ""
        listed = re.fullmatch(
            r"\s*(?:,\s*(?:and|or)?|and|or|/|&|nor)\s*(?:in\s+|from\s+|by\s+)?", gap
        )
        if last and listed and set(last.columns) & set(m.columns):
            groups[-1].append(m)
        else:
            groups.append([m])
    return groups


def _file_values(r: Reading, group: list[Mention]) -> None:
    shared = set.intersection(*(set(m.columns) for m in group))
    named, column_at = _named_column(r, group[0], shared)
    columns = {named} if named else shared
    at = (group[0].start, group[-1].end)
    entries = [[e for e in m.entries if e.column in columns] for m in group]
    if len(columns) != 1 or any(len(found) != 1 for found in entries):
        options = sorted({f"{e.column} is {e.value}" for found in entries for e in found})
        r.ask(f"'{r.said(*at)}' can mean {' or '.join(options)}. Which one?", at, options)
        return
    values = list(dict.fromkeys(found[0].value for found in entries))
    column = next(iter(columns))
    condition = Condition(
        column=column,
        op="eq" if len(values) == 1 else "in",
        value=values[0] if len(values) == 1 else values,
    )
    ranges = [(m.start, m.end) for m in group] + ([column_at] if column_at else [])
    _file(r, condition, tuple(found[0].rule for found in entries), ranges)


def _named_column(r: Reading, first: Mention, shared: set[str]) -> tuple[str, Range | None]:
    """The column said right before or behind a value: 'owned by Dana', 'the retail sector'."""
    for m in r.free_mentions():
        if m.is_value or not set(m.columns) & shared:
            continue
        before = m.end <= first.start and re.fullmatch(
            r"\s*(?:is|are|was|=|:|by|to|in|of)?\s*(?:not\s+)?['\"]?", r.low[m.end : first.start]
        )
        behind = m.start >= first.end and re.fullmatch(r"\s+", r.low[first.end : m.start])
        if before or behind:
            return next(c for c in m.columns if c in shared), (m.start, m.end)
    return "", None


def _bound_values(r: Reading) -> None:
    """Grammar words that are values: 'status is open', 'open invoices' (never 'all', 'not')."""
    for m in list(r.free_mentions()):
        if not m.is_value:
            for name in m.columns:
                gap = re.match(r"\s*(?:is|are|was|=|:)?\s*(?:not\s+)?['\"]?", r.low[m.end :])
                rest = m.end + (gap.end() if gap else 0)
                found = r.lexicon.bound_value(name, r.low[rest:])
                if found and r.free(m.start, rest + found[0]):
                    at = (m.start, rest + found[0])
                    out = bool(gap and "not" in gap.group())
                    _file(
                        r,
                        Condition(column=name, op="eq", value=found[1]),
                        ("value",),
                        (at,),
                        out=out or None,
                    )
                    break
    nouns = one_of(entity_words(r.table))
    for name, values in r.lexicon.bound.items():
        for key, value in values.items():
            if len(key) != 1 or key[0] in word_set("filler") or key[0] in data()["superlatives"]:
                continue
            pattern = re.compile(rf"(?<=\w\s)\b{re.escape(value.lower())}\s+(?={nouns}\b)")
            for m in r.find(pattern):
                if not re.fullmatch(NEGATION.pattern, value.lower()):
                    at = (m.start(), m.start() + len(value))
                    _file(r, Condition(column=name, op="eq", value=value), ("value",), (at,))


def read_blanks(r: Reading) -> None:
    """'without an e-mail', 'with no phone', 'missing owner', 'with a phone number'."""
    for m in list(r.free_mentions()):
        if m.is_value or len(m.columns) != 1 or r.column(m.columns[0]).kind == "bool":
            continue
        lead = r.low[r.clause(m.start)[0] : m.start]
        empty = re.search(
            r"\b(?:without|with\s+no|missing|lacking|no|empty|blank)\s+(?:an?\s+|any\s+|the\s+)?$",
            lead,
        )
        filled = re.search(r"\b(?:with|has|have|having)\s+(?:an?\s+|the\s+)?$", lead)
        tail = re.match(r"\s+(?:is\s+|are\s+)?(?:missing|empty|blank)\b", r.low[m.end :])
        if not (empty or filled or tail):
            continue
        opens = empty or filled
        lead_at = m.start - len(lead) + opens.start() if opens else m.start
        at = (lead_at, m.end + (tail.end() if tail else _unit(r, m.end)))
        if not r.free(*at) or (
            filled and re.match(r"\s*(?:of|is|over|above|under|below|[<>=\d])", r.low[m.end :])
        ):
            continue
        op = "filled" if filled and not tail else "empty"
        mark = r.negation_before(at[0])
        _file(r, Condition(column=m.columns[0], op=op), (m.entries[0].rule,),
              (mark, at) if mark else (at,), out=bool(mark))  # fmt: skip


def _unit(r: Reading, end: int) -> int:
    noun = re.match(r"\s+(?:numbers?|address(?:es)?|on\s+file)\b", r.low[end:])
    return noun.end() if noun else 0


def _flags(r: Reading) -> None:
    """Yes/no columns: 'VIP members', 'on the do-not-contact list', 'unpaid'."""
    for m in list(r.free_mentions()):
        flags = [c for c in m.columns if r.column(c).kind == "bool"]
        if m.is_value or len(flags) != 1:
            continue
        tail = re.match(r"\s+(?:list|flag|ones)\b", r.low[m.end :])
        at = (m.start, m.end + (tail.end() if tail else 0))
        _file(r, Condition(column=flags[0], op="eq", value=True), (m.entries[0].rule,), (at,))
    for column in (c for c in r.columns if c.kind == "bool"):
        words = one_of([column.name.lower().replace("_", " ").removeprefix("is ")])
        for m in r.find(re.compile(rf"\b(?:un|in|non[- ])(?:{words})\b")):
            _file(
                r,
                Condition(column=column.name, op="eq", value=False),
                ("negated_name",),
                (m.span(),),
            )


def read_addresses(r: Reading, email: re.Pattern[str]) -> None:
    """Written-out addresses beside 'skip' are excluded, others chosen, when a column holds them."""
    column = next((c.name for c in r.columns if c.kind == "email"), "")
    for m in r.find(email):
        if column:
            _file(r, Condition(column=column, op="eq", value=m.group()), ("address",), (m.span(),))


def check_consistent(r: Reading) -> None:
    """Conditions no row could meet, and 'or' across columns, are questions, not filters."""
    f = r.filters
    for condition, part in f.where_at:
        for other, out in f.excluded:
            if condition == other:
                _ask_two(r, part, out)
    numeric = [(c, p) for c, p in f.where_at if c.op in ("gt", "ge", "lt", "le", "eq")]
    for (a, pa), (b, pb) in ((x, y) for i, x in enumerate(numeric) for y in numeric[i + 1 :]):
        if a.column == b.column and not _overlap(a, b):
            _ask_two(r, pa, pb)
    ordered = sorted(f.where_at, key=lambda cp: cp[1].ranges[0])
    for (a, pa), (b, pb) in pairwise(ordered):
        gap = r.low[pa.ranges[-1][1] : pb.ranges[0][0]]
        if a.column != b.column and re.fullmatch(r"\s*(?:\w+\s+){0,2}or\s+(?:\w+\s+){0,2}", gap):
            r.ask(f"'or' between {pa.text} and {pb.text} cannot be read as one selection. Do both have to hold?",
                  (pa.ranges[0][0], pb.ranges[-1][1]), ("Leave it out",))  # fmt: skip


def _overlap(a: Condition, b: Condition) -> bool:
    if a.op == b.op and a.op != "eq":
        return True
    low, high = (a, b) if a.op in ("gt", "ge") or b.op in ("lt", "le") else (b, a)
    if "eq" in (a.op, b.op) and a.op == b.op:
        return a.value == b.value
    strict = low.op == "gt" or high.op == "lt"
    if type(low.value) is str or type(high.value) is str:
        return str(low.value) < str(high.value) or (low.value == high.value and not strict)
    return low.value < high.value or (low.value == high.value and not strict)


def _ask_two(r: Reading, a: Part, b: Part) -> None:
    first, second = sorted((a, b), key=lambda p: p.ranges[0])
    r.ask(
        f"{first.text} and {second.text} cannot both hold. Which one is meant?",
        (first.ranges[0][0], max(second.ranges[-1][1], first.ranges[-1][1])),
        (first.text, second.text),
    )


SIGN_OF = {
    "eq": "is",
    "ne": "is not",
    "gt": ">",
    "ge": "≥",
    "lt": "<",
    "le": "≤",
    "contains": "contains",
}


def condition_text(c: Condition) -> str:
    """A condition in words: 'arr > 50000', 'country is Germany or Austria'."""
    if c.op == "between":
        return f"{c.column} from {c.value[0]} to {c.value[1]}"
    if c.op in ("in", "not_in"):
        return f"{c.column} is {'not ' if c.op == 'not_in' else ''}{' or '.join(map(str, c.value))}"
    if c.op in ("empty", "filled"):
        return f"{c.column} is {c.op}"
    value = (
        {True: "yes", False: "no"}.get(c.value, c.value) if isinstance(c.value, bool) else c.value
    )
    return f"{c.column} {SIGN_OF[c.op]} {value}"
