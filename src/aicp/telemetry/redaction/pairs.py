"""Names and values inside a text: assignments, headers, query strings, options, XML, prose.

The name is judged by the rules for keys; only how far the value goes is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aicp.telemetry.redaction import keys
from aicp.telemetry.redaction.detector import Detector, Span, Text
from aicp.telemetry.redaction.engines import Trigger
from aicp.telemetry.redaction.markers import FILLER
from aicp.telemetry.redaction.normal import fold
from aicp.telemetry.redaction.secrets import mixed

_STEMS = (
    "password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "contrasena", "senha", "mot de passe",
    "motdepasse", "wachtwoord", "losenord", "haslo", "salasana", "adgangskode", "heslo", "parola", "sifre", "jelszo",
    "пароль", "密码", "密碼", "パスワード", "비밀번호", "סיסמה", "كلمة المرور", "पासवर्ड", "κωδικος",
    "pwd", "secret", "token", "apikey", "api_key", "api-key", "api key", "credential", "authorization", "cookie",
    "privatekey", "private_key", "access_key", "accesskey", "access-key", "access key", "sessionid", "session_key",
    "signing_key", "encryption_key", "account_key", "accountkey", "sharedaccesskey", "sharedkey", "masterkey",
    "otp", "cvv", "cvc", "csrf", "xsrf", "passw", "auth_key", "authkey", "connect.sid", "pin", "signature",
    "security code", "verification code", "recovery code", "x-amz-security", "auth", "pass", "sid",
)  # fmt: skip
_FOLDED = sorted({fold(s) for s in _STEMS}, key=len, reverse=True)

# after the stem: the rest of the name, perhaps a quote, a sign, perhaps a quote
_ASSIGNED = re.compile(
    r"([\w\-]{0,24})\\{0,3}[\"'\])]{0,2}[ \t]{0,4}(?:=>|:=|={1,2}|:)[ \t]{0,4}(\\{0,3}[\"'`])?"
)
_BEFORE = re.compile(r"[\w.\-]{1,40}\Z")
_UNQUOTED = re.compile(r"[^\s\x00\"'`]{1,512}")
_CUT = re.compile(r"[&;]|,(?=\s|\w[\w.-]*=|$)|[)\]}>]+[.,;]?$|\\+[\"']|<")
_TAIL = ".,;:)]}>"
_TO_LINE_END = frozenset(["cookie", "setcookie", "cookies"])
_SCHEME = re.compile(
    r"(bearer|basic|token|apikey|negotiate|ntlm|digest|aws4-hmac-sha256) {1,2}", re.IGNORECASE
)
_COOKIES = re.compile(r"[^\s\x00\";]{1,4096}(?:; ?[^\r\n\x00\";]{1,4096}){0,64}")
_LINE = re.compile(r"[^\r\n\x00\"]{1,4096}")

# prose: the name, a verb, the value
_VERB = (
    r"(?:\s(?:for|of|from|on|von|fur|de|di|para|pour|do|till)\s[^\s:=]{1,64})?\s{1,2}"
    r"(?:is now|was set to|was changed to|set to|changed to|reset to|is|was|ist jetzt|ist|lautet|war|es|era|est|e|"
    r"ar|to|wynosi|on|=|:)\s{1,2}"
)
_SAID = re.compile(rf"s?(?:{_VERB}|\s{{1,2}})[\"'`(]?([^\s\"'`\x00]{{3,128}})", re.IGNORECASE)
_PREDICATES = frozenset(["ok"]) | frozenset(
    ["required", "invalid", "missing", "wrong", "incorrect", "expired", "empty", "none", "null", "nil", "undefined", "unknown", "false", "true", "yes", "no", "too", "not", "set", "unset", "being", "stored", "changed", "reset", "hashed", "needed", "weak", "strong", "valid", "correct", "about", "the", "and", "with", "from", "that", "this", "must", "should", "may", "will", "have", "has", "been", "does", "was", "were", "are", "can", "cannot", "could", "but", "only", "also", "already", "never", "always", "again", "when", "where", "which", "what", "while", "for", "your", "their", "new", "old", "same", "different", "default", "optional", "mandatory", "protected", "secure", "unsafe", "safe", "public", "private", "available", "unavailable", "rejected", "accepted", "denied", "refused", "revoked", "rotated", "updated", "generated", "sent", "received", "provided", "given", "found", "lost", "leaked", "known", "hidden", "masked", "redacted", "removed", "deleted", "masked", "longer", "shorter", "minimum", "maximum", "least", "most", "policy", "policies", "manager", "field", "rules", "form", "reset", "page", "header", "value", "based", "scheme", "count", "type", "name", "authentication", "authorization", "encrypted", "plain", "text", "here", "there", "okay", "ready", "today", "tomorrow", "yesterday", "bearer", "basic", "string", "number", "integer", "object", "changed.", "requirements", "complexity", "strength"]
)  # fmt: skip
_WORDLIKE = re.compile(r"[a-z]+(?:ed|able|ible|ing|ly|tion|ment|ity|ness|ous|ive)\.?\Z")

_OPTION = re.compile(r"([\w-]{0,16})[ \t]{1,4}([^\s\x00-][^\s\x00]{2,256})")
_DASHES = re.compile(r"(?:^|\s)--?([\w-]{0,32})\Z")
_VERBS_OF_VALUES = frozenset(
    ["is", "ist", "lautet", "es", "est", "e", "ar", "to", "now", "jetzt", "wynosi"]
)
_USER_OPTION = re.compile(
    r"(?<!\S)(?:-u|--user|--proxy-user)[ =]{1,3}[\"']?([^\s:\"']{1,64}:[^\s\"']{1,128})"
)
_SHORT_OPTION = re.compile(
    r"\b(?:(?:sshpass|mysql|mysqldump|mysqladmin|docker login|podman login|ldapsearch)\b[^\n|;]{0,64}?\s-[pw] ?"
    r"|redis-cli\b[^\n|;]{0,64}?\s-a ?)([^\s-][^\s]{2,64})"
)
_PARAM = re.compile(r"(?:[?&;#]|(?<![^\s\"'=,(]))([\w.\-\[\]%]{1,48})=([^&;#\s\"'<>\x00]{1,2048})")
_URL_ONLY = frozenset(
    [
        "sig",
        "signature",
        "code",
        "key",
        "auth",
        "sid",
        "hmac",
        "jwt",
        "assertion",
        "ticket",
        "saml",
        "samlresponse",
        "state_token",
        "se_sig",
        "otp",
        "pass",
        "pw",
    ]
)
_ELEMENT = re.compile(r"<([\w:.-]{2,48})(?:\s[^<>]{0,128})?>([^<\x00]{1,1024})</")
_ATTRIBUTE = re.compile(r"([\w.-]{2,40})=[\"']([^\"'\x00]{1,512})[\"']")


_NUMBERED = frozenset(
    ("otp", "cvv", "cvc", "pin", "security code", "verification code", "recovery code")
)


def _stems(text: Text) -> list[tuple[int, int]]:
    """Where a word of a secret's name stands, the longest at each place."""
    at: dict[int, int] = {}
    lowered = text.lowered
    for stem in _FOLDED:
        begin = lowered.find(stem)
        while begin >= 0:
            at.setdefault(begin, begin + len(stem))
            begin = lowered.find(stem, begin + len(stem))
    text.spend(len(at))
    return sorted(at.items())


def _named(text: Text) -> Iterator[Span]:
    """What follows the name of a secret: by a sign, by a verb, or as the value of an option."""
    plain, covered = text.plain, 0
    for begin, stop in _stems(text):
        if begin < covered:
            continue
        before = plain[max(0, begin - 40) : begin]
        if found := _ASSIGNED.match(plain, stop):
            if span := _assigned(plain, begin, stop, before, found):
                covered = span.end
                yield span
        elif span := _optional(plain, begin, stop, before) or _said(plain, begin, stop, before):
            covered = span.end
            yield span


def _assigned(plain: str, begin: int, stop: int, before: str, found: re.Match[str]) -> Span | None:
    left = _BEFORE.search(before)
    name = (left[0] if left else "") + plain[begin:stop] + found[1]
    if keys.rule(name) != "SECRET":
        return None
    start, quote, words = found.end(), found[2], keys.words_of(name)
    if scheme := _SCHEME.match(plain, start):
        if scheme[1].lower() in ("digest", "aws4-hmac-sha256"):
            words = ("x", "cookie")  # its parameters reach to the end of the line
        else:
            start = scheme.end()
    end = _value_end(plain, start, quote, "".join(words[-2:]), "".join(words))
    prose = plain[end : end + 1] == " "  # `credentials: secret is missing`
    if end > start and _is_value(plain[start:end], quoted=bool(quote), prose=prose):
        return Span(start, end, "SECRET")
    return None


def _optional(plain: str, begin: int, stop: int, before: str) -> Span | None:
    """`--db-password hunter2`"""
    if not (dashes := _DASHES.search(before)):
        return None
    found = _OPTION.match(plain, stop)
    if found is None or keys.rule(dashes[1] + plain[begin:stop] + found[1]) != "SECRET":
        return None
    value = found[2].strip("\"'") or found[2]
    start = found.start(2) + found[2].find(value)
    return Span(start, start + len(value), "SECRET")


def _said(plain: str, begin: int, stop: int, before: str) -> Span | None:
    """`the password is hunter2`"""
    if before[-1:].isalnum() or not (found := _SAID.match(plain, stop)):
        return None
    value, stem = found[1].rstrip(_TAIL), plain[begin:stop].lower()
    bare = value.lower()
    if value.isdigit() and stem in _NUMBERED and 3 <= len(value) <= 8:
        return Span(found.start(1), found.start(1) + len(value), "SECRET")
    if bare in _PREDICATES or _WORDLIKE.match(bare) or len(value) < 4 or "://" in value:
        return None
    odd = mixed(value) or any(not c.isalnum() and c not in "-_'.()/" for c in value)
    verb = plain[stop : found.start(1)].rstrip("\"'`( ").rpartition(" ")[2].lower()
    if odd or (verb in _VERBS_OF_VALUES and len(value) >= 6 and value.isalpha()):
        return Span(found.start(1), found.start(1) + len(value), "SECRET")
    return None


def _value_end(plain: str, start: int, quote: str | None, last: str, joined: str) -> int:
    if quote:
        stop = plain.find(quote, start, start + 4096)
        return stop if stop >= 0 else min(len(plain), start + 4096)
    if joined in _TO_LINE_END or last in _TO_LINE_END:
        line = (_COOKIES if joined in _TO_LINE_END else _LINE).match(plain, start)
        return line.end() if line else start
    run = _UNQUOTED.match(plain, start)
    if run is None:
        return start
    value = run[0]
    if cut := _CUT.search(value, 1):
        value = value[: cut.start()]
    return start + len(value.rstrip(_TAIL) or value)


_NAMES = frozenset(
    [
        "secret",
        "token",
        "password",
        "key",
        "credential",
        "credentials",
        "cookie",
        "passcode",
        "pin",
        "auth",
    ]
)


def _is_value(value: str, *, quoted: bool, prose: bool = False) -> bool:
    """Not a word about the secret: `token: expired`, `password: required`."""
    bare = value.strip().rstrip(_TAIL).lower()
    if prose and not quoted and bare in _NAMES:
        return False
    if not bare.strip(FILLER + " ") or bare in ("*" * len(bare), "[redacted]", "redacted"):
        return False
    if bare.startswith(("${", "$(", "{{", "%(", "<")) and bare[-1:] in "})>s":
        return False
    return bare not in _PREDICATES and (quoted or len(bare) > 1)


def _options(text: Text) -> Iterator[Span]:
    for pattern in (_USER_OPTION, _SHORT_OPTION):
        for found in pattern.finditer(text.plain):
            yield Span(*found.span(1), "SECRET")


def _params(text: Text) -> Iterator[Span]:
    return parameters(text.plain)


def parameters(plain: str) -> Iterator[Span]:
    """The values of a query string's or a form's sensitive parameters."""
    for found in _PARAM.finditer(plain):
        kind = keys.rule(found[1])
        if not kind and found[1].lower() in _URL_ONLY and found[0][0] in "?&;#":
            kind = "SECRET"
        if (
            kind
            and kind != "CONTENT"
            and found[2].strip(FILLER)
            and found[2].rstrip(_TAIL).lower() not in _PREDICATES
        ):
            value = found[2].rstrip(".,)]}") or found[2]
            if found[0][0] not in "?&#":
                value = value.partition(",")[0] or value
            if kind != "IP" or any(c.isdigit() for c in value):
                yield Span(found.start(2), found.start(2) + len(value), kind)


def _elements(text: Text) -> Iterator[Span]:
    for found in _ELEMENT.finditer(text.plain):
        kind = keys.rule(found[1].rpartition(":")[2])
        if kind and kind != "CONTENT" and found[2].strip(FILLER + " \n\t"):
            yield Span(*found.span(2), kind)


def _attributes(text: Text) -> Iterator[Span]:
    for found in _ATTRIBUTE.finditer(text.plain):
        kind = keys.rule(found[1])
        if kind and kind != "CONTENT" and found[2].strip(FILLER + " "):
            yield Span(*found.span(2), kind)


DETECTORS = (
    Detector("name", Trigger(tuple(_FOLDED)), _named),
    Detector(
        "option", Trigger(("--user", "--proxy-user", "-u ", " -p", " -w ", "redis-cli")), _options
    ),
    Detector("parameter", Trigger(("=",)), _params),
    Detector("element", Trigger(("</",)), _elements),
    Detector("attribute", Trigger(('="', "='")), _attributes),
)
