"""Credentials by their shape: keys of providers, tokens, private keys, passwords in addresses."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterator

from aicp.telemetry.redaction.detector import Detector, Span, Text
from aicp.telemetry.redaction.engines import Trigger

# --- passwords in addresses (RFC 3986 userinfo, DSNs)
_STORES = "postgres|postgresql|mysql|mariadb|mongodb|redis|rediss|amqp|amqps|mssql|clickhouse|cockroachdb|ldap|ldaps|smtp|smtps|ftp|sftp"
_DSN = re.compile(
    rf"(?i:{_STORES})(?:\+\w{{1,16}})?://([^\s\"'<>@:/]{{0,64}}:[^\s\"'<>]{{1,128}})@(?=[\w.\[-])"
)
_USERINFO = re.compile(r"://([^\s/?#\"'<>@:]{0,64}:[^\s/?#\"'<>]{1,256})@")
_USER_TOKEN = re.compile(r"://([^\s/?#\"'<>@:]{16,256})@")


def _userinfo(text: Text) -> Iterator[Span]:
    for pattern in (_DSN, _USERINFO, _USER_TOKEN):
        for found in pattern.finditer(text.plain):
            yield Span(*found.span(1), "SECRET")


# --- JSON Web Tokens (RFC 7519)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{5,8192}(?:\.[\w-]{0,8192}){1,4}")


def _jwt(text: Text) -> Iterator[Span]:
    for found in _JWT.finditer(text.plain):
        yield Span(*found.span(), "SECRET")


# --- keys whose issuers gave them a mark
_PREFIXES = (
    "AKIA", "ASIA", "ABIA", "ACCA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "glrt-",
    "glptt-", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_", "sk-", "xoxb-", "xoxp-", "xoxa-", "xoxs-",
    "xoxr-", "xapp-", "xoxe.", "sbp_", "sb_secret_", "sb_publishable_", "AIza", "ya29.", "1//0", "GOCSPX-", "npm_",
    "pypi-", "shpat_", "shpca_", "shppa_", "shpss_", "SG.", "key-", "sq0atp-", "sq0csp-", "EAAA", "dop_v1_",
    "doo_v1_", "dor_v1_", "hf_", "glsa_", "glc_", "lin_api_", "ntn_", "figd_", "hvs.", "hvb.", "s.",
    "ATATT3x", "ATCTT3x", "ATBB", "dckr_pat_", "dckr_oat_", "rubygems_", "pat-na1-", "pat-eu1-", "NRAK-", "PMAK-",
    "dapi", "AGE-SECRET-KEY-1", "tskey-", "fo1_", "FlyV1", "vercel_", "dp.pt.", "dp.st.", "cio_", "patlinear_",
    "EZAK", "EZTK", "rzp_live_", "rzp_test_", "sntrys_", "sntryu_", "gsk_", "xai-", "r8_", "nvapi-", "pplx-",
    "eyJrIjoi", "CLOJARS_", "ops_", "amzn.mws.", "LTAI", "AKID", "p8e-",
    "shippo_live_", "shippo_test_", "duffel_live_", "duffel_test_",  "akc_", "ak_", "comp_", "AC", "T3BlbkFJ", "live_", "test_", "oauth2v2_", "Atza|", "Atzr|", "phc_", "phx_", "sessionid-",
)  # fmt: skip
_LOOSE = {"s.": 24, "key-": 24, "sk-": 16, "dapi": 30, "1//0": 30, "live_": 30,
          "test_": 30, "ak_": 16, "SG.": 30, "hf_": 20, "npm_": 30, "comp_": 20, "ops_": 30, "EAAA": 30,
          "cio_": 20, "glc_": 20, "AIza": 30, "LTAI": 12, "AKID": 13, "ATBB": 20}  # fmt: skip
_MARKED = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    + "|".join(
        rf"{re.escape(prefix)}[A-Za-z0-9_\-.]{{{_LOOSE.get(prefix, 12)},512}}"
        for prefix in sorted(_PREFIXES, key=len, reverse=True)
    )
    + "|(?:SK|AC)[0-9a-f]{32}(?![0-9A-Za-z]))"
)
_HOOKS = re.compile(
    r"(?:hooks\.slack\.com/(?:services|workflows)|discord(?:app)?\.com/api/webhooks|outlook\.office\.com/webhook"
    r"|\w{1,40}\.webhook\.office\.com)/([\w/@.-]{8,256})"
)
_BOT = re.compile(r"(?<![\w])(?:bot)?(\d{8,10}:[A-Za-z0-9_-]{35})(?![\w-])")
_SHORT = re.compile(r"(?<!\w)s\.|(?<!\w)key-")


def _marked(text: Text) -> Iterator[Span]:
    for found in _MARKED.finditer(text.plain):
        value = found[0].rstrip(".=/-") if not found[0].endswith("==") else found[0]
        if any(c.isdigit() for c in value) or sum(c.isupper() for c in value) > 5:
            yield Span(found.start(), found.start() + len(value), "SECRET")
    for found in _HOOKS.finditer(text.plain):
        yield Span(*found.span(1), "SECRET")
    for found in _BOT.finditer(text.plain):
        yield Span(*found.span(1), "SECRET")


# --- keys in PEM and OpenPGP armour
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END)[\s\S]){0,65536}(?:-----END [A-Z0-9 ]{0,40}-----)?"
)
_PUTTY = re.compile(r"PuTTY-User-Key-File-\d:[\s\S]{0,65536}")


def _pem(text: Text) -> Iterator[Span]:
    for pattern in (_PEM, _PUTTY):
        for found in pattern.finditer(text.plain):
            yield Span(*found.span(), "SECRET")


# --- authentication headers and credentials in prose (RFC 9110 section 11)
_SCHEME = re.compile(
    r"(?<![\w-])(bearer|basic|negotiate|ntlm|apikey|api-key|token|hmac|aws4-hmac-sha256)[\s:=]{1,3}"
    r"[\"']?([A-Za-z0-9_\-.~+/=|:]{6,4096})",
    re.IGNORECASE,
)
_PROSE = frozenset(
    [
        "authentication",
        "authorization",
        "authorisation",
        "scheme",
        "tokens",
        "token",
        "access",
        "required",
        "invalid",
        "missing",
        "expired",
        "usage",
        "information",
        "settings",
        "plan",
        "auth",
        "header",
        "headers",
        "string",
        "service",
        "support",
        "account",
    ]
)


def _schemes(text: Text) -> Iterator[Span]:
    for found in _SCHEME.finditer(text.plain):
        scheme, value = found[1].lower(), found[2].rstrip(".:")
        if value.lower() in _PROSE or len(value) < 6:
            continue
        if scheme == "basic" and not _is_pair(value):
            continue
        if scheme not in ("bearer", "basic") and not mixed(value):
            continue
        if scheme == "bearer" and len(value) < 8 and not mixed(value):
            continue
        yield Span(found.start(2), found.start(2) + len(value), "SECRET")


def _is_pair(value: str) -> bool:
    """user:password in base64."""
    try:
        return b":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


def mixed(value: str) -> bool:
    """Letters and digits together, or letters of both cases inside: no word of a sentence."""
    letters = any(c.isalpha() for c in value)
    digits = any(c.isdigit() for c in value)
    inner = value[1:]
    return (letters and digits) or (inner != inner.lower() and inner != inner.upper())


OPAQUE = "OPAQUE"  # a secret, unless it turns out to be a text in base64

# --- opaque tokens: by alphabet, entropy and how often the kind of letter changes
_OPAQUE = re.compile(r"(?<![A-Za-z0-9+/_=.-])[A-Za-z0-9+/_-]{20,1024}={0,2}(?![A-Za-z0-9+/_-])")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F-]+\Z")
_RUNS = re.compile(r"[a-z]+|[A-Z]+|[0-9]+|[+/=]+")
_WORDY = re.compile(
    r"(?:(?:[A-Z]?[a-z]{3,}|[A-Z]{2,6}|\d{1,4}){1,4}|[A-Za-z]{1,2}\d{0,4}|[a-z]{2}|[0-9a-f]{4,12}|\d+[A-Z]?\d*)\Z"
)
_DIGIT = re.compile(r"[0-9]")
_ISSUED = re.compile(r"sha(?:256|384|512|1)-|h1:")


def _opaque(text: Text) -> Iterator[Span]:
    if text.is_reference and len(text.plain) <= 64:
        return
    for found in _OPAQUE.finditer(text.plain):
        if is_opaque(found[0]):
            yield Span(*found.span(), OPAQUE)


def is_opaque(token: str) -> bool:
    """Whether a run of letters is random enough to be a credential, and no digest, path or name."""
    bare = token.rstrip("=")
    if len(bare) < 22 or _HEXADECIMAL.match(bare) or _ISSUED.match(bare):
        return False
    letters = bare.replace("-", "").replace("_", "")
    both = letters != letters.lower() and letters != letters.upper()
    if not (_DIGIT.search(letters) or (both and len(letters) >= 36)):
        return False
    named = "/" in bare and all(_wordy(part) for part in bare.split("/"))
    if named or letters.isdigit() or _HEXADECIMAL.match(letters) or _wordy(bare):
        return False
    runs = _RUNS.findall(letters)
    if both:
        return _random(letters, runs)
    return len(letters) >= 32 and _entropy(letters) >= 3.9 and len(runs) >= 10


def _random(letters: str, runs: list[str]) -> bool:
    """Letters of both cases and digits that change too often for words put together."""
    changing = len(runs) / len(letters)
    longest = max(len(run) for run in runs if run.isalpha())
    if len(letters) >= 36:  # names are seldom that long: a doubt is a yes
        return changing >= 0.36 or longest <= 9
    if _entropy(letters) < 3.4 or (_reads(letters) and longest >= 4 and changing < 0.55):
        return False
    return changing >= 0.36 or longest <= 6


def _reads(letters: str) -> bool:
    """Vowels as often as in words (two fifths); among random letters it is one fifth."""
    alphabetic = [c for c in letters.lower() if c.isalpha()]
    return sum(c in "aeiou" for c in alphabetic) >= 0.33 * len(alphabetic)


def _wordy(text: str) -> bool:
    """Words, numbers and versions in a row: a name somebody chose."""
    parts = [part for part in re.split(r"[-_+/]", text) if part]
    few = len(text) / max(len(parts), 1) <= 13
    return (
        (few or len(text) < 16)
        and all(_WORDY.match(part) and len(part) <= 24 for part in parts)
        and (len(parts) >= 2 or len(text) < 20)
        and not _jumpy(parts)
    )


def _jumpy(parts: list[str]) -> bool:
    """Whether the kind of letter changes too often for words."""
    runs = sum(len(_RUNS.findall(part)) for part in parts)
    return runs / max(sum(map(len, parts)), 1) > 0.45


def _entropy(text: str) -> float:
    """Bits a character (Shannon)."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values())


DETECTORS = (
    Detector("userinfo", Trigger(("://",)), _userinfo),
    Detector("jwt", Trigger(("eyj",)), _jwt),
    Detector(
        "marked key",
        Trigger(
            (
                *(p.lower() for p in _PREFIXES if p not in _LOOSE),
                "hooks.slack.com",
                "api/webhooks",
                "office.com/webhook",
            ),
            "|".join(
                rf"{re.escape(p.lower())}[a-z0-9_./+~=-]{{{min(n, 30)}}}" for p, n in _LOOSE.items()
            )
            + r"|[0-9]{8}:[a-z0-9_-]{35}|(?:sk|ac)[0-9a-f]{32}",
        ),
        _marked,
    ),
    Detector("private key", Trigger(("private key", "putty-user-key")), _pem),
    Detector(
        "scheme",
        Trigger(
            shape=r"(?:bearer|basic|negotiate|ntlm|apikey|api-key|token|hmac)[\s:=]{1,3}[\"']?[a-z0-9_.~+/=-]{6}"
        ),
        _schemes,
    ),
    Detector("opaque", Trigger(shape=r"[a-z0-9+/_-]{22}"), _opaque),
)
