"""E-mail addresses, network addresses, phone numbers, dates of birth."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

import phonenumbers

from aicp.telemetry.redaction.detector import Detector, Span, Text
from aicp.telemetry.redaction.engines import Trigger
from aicp.telemetry.redaction.normal import fold

# --- e-mail: found by its @, then both ways, so that a long text is read once
_DOMAIN = re.compile(r"@((?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62}|\[[0-9a-fA-F.:]{3,45}\])")
_LOCAL = re.compile(r"[\w.+%'!#$&*/=?^`{|}~-]{1,64}\Z")
_QUOTED = re.compile(r'"[^"\n]{1,62}"\Z')
_OWNER = re.compile(r"://[^\s/?#@]{0,64}:[^\s/?#]{0,190}\Z")
_NO_TOP = frozenset(
    [
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "js",
        "css",
        "ts",
        "json",
        "html",
        "py",
        "java",
        "map",
        "ico",
        "woff",
        "woff2",
        "mp4",
        "exe",
        "dll",
        "so",
    ]
)
_SPELT = re.compile(
    r"[\w.+-]{1,64}\s{0,2}[\[({<]\s{0,2}(?:at|a|@)\s{0,2}[\])}>]\s{0,2}[\w-]{1,63}"
    r"(?:\s{0,2}(?:\.|[\[({<]\s{0,2}(?:dot|punkt|punto|\.)\s{0,2}[\])}>])\s{0,2}[\w-]{1,63}){1,5}"
    r"|[\w.+-]{1,64} at [\w-]{1,63}(?: dot [\w-]{1,63}){1,4}",
    re.IGNORECASE,
)


def _emails(text: Text) -> Iterator[Span]:
    plain = text.plain
    for found in _DOMAIN.finditer(plain):
        at, end = found.start(), found.end()
        window = plain[max(0, at - 64) : at]
        local = _QUOTED.search(window) if window[-1:] == '"' else _LOCAL.search(window)
        if local is None:
            continue
        name = local[0].lstrip(".'`=?&/{|}!#$*^~%+-") or ""
        for cut in "=?&/|{":  # a query string, a path
            name = name.rpartition(cut)[2]
        top = found[1].rpartition(".")[2].lower()
        if _OWNER.search(plain, max(0, at - 256), at):
            continue  # user:password@host, which is one secret
        if not name or top in _NO_TOP or (name == "git" and plain[end : end + 1] in (":", "/")):
            continue
        yield Span(at - len(name), end, "EMAIL")


def _spelt_emails(text: Text) -> Iterator[Span]:
    for found in _SPELT.finditer(text.plain):
        yield Span(*found.span(), "EMAIL")


# --- network addresses
_V4 = re.compile(
    r"\d(?<![\w.]\d)\d{0,2}\.(?:\d{1,3}\.){2}\d{1,3}(?!\w|\.\d|-(?:alpha|beta|rc|dev|pre|snapshot))"
)
_V6 = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4})(?:%\w{1,16})?(?![\w:])"
)
_VERSION = re.compile(
    r"(?:\bv|(?:version|release|ver\.?|build|revision)[\s:=\"']{0,4})\Z", re.IGNORECASE
)


def _addresses(text: Text) -> Iterator[Span]:
    plain = text.plain
    for found in _V4.finditer(plain):
        start, end = found.span()
        if _product(plain, start, end):
            continue
        if _public(found[0]) and not _VERSION.search(plain[max(0, start - 12) : start]):
            yield Span(start, end, "IP")


def _product(plain: str, start: int, end: int) -> bool:
    """`Chrome/120.0.0.0`: a program and its version."""
    before = plain[max(0, start - 2) : start]
    return before[-1:] == "/" and before[:1].isalpha() and plain[end - 2 : end] == ".0"


def _six(text: Text) -> Iterator[Span]:
    for found in _V6.finditer(text.plain):
        if len(found[0]) >= 7 and any(c.isdigit() for c in found[0]) and _public(found[0]):
            yield Span(*found.span(), "IP")


def _public(text: str) -> bool:
    """An address of somebody: not this machine, not a mask, not everybody."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mask = address.version == 4 and text.startswith("255.")
    return not (address.is_loopback or address.is_unspecified or address.is_multicast or mask)


# --- phone numbers
_PHONE = re.compile(
    r"[+(\d](?<![\w.+-][+(\d])(?<!\d,[+(\d])(?:[ ()./-]{0,3}\d){5,15}(?![\w]|[.,-]\d)"
)
_DATE_LIKE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}\b|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}\b")
# a decimal, an address or a mask, a row of small numbers
_NO_PHONE = re.compile(
    r"\(?\d{1,3}\.\d+\Z|(?:\d{1,3}\.){3}\d{1,3}\Z|[1-9]\d?(?:[ /-]\d{1,2}){5,}\Z"
)
_PHONE_WORDS = (
    "phone", "tel", "mobile", "cell", "fax", "whatsapp", "sms", "msisdn", "dial", "handy", "telefon", "rufnummer",
    "telefono", "telefone", "puhelin", "telefoon", "celular", "movil", "portable", "komorka", "numer", "номер",
    "телефон", "тел", "電話", "电话", "手机", "携帯", "전화", "휴대폰", "טלפון", "هاتف", "फ़ोन", "फोन", "τηλ",
    "call me", "reach me", "call", "ring", "text me", "contact",
)  # fmt: skip
_PHONE_NEAR = re.compile(
    "(?:"
    + "|".join(sorted({re.escape(fold(w)) for w in _PHONE_WORDS}, key=len, reverse=True))
    + r")[^\n]{0,24}\Z"
)
PHONE_NAMED = Trigger(tuple(sorted({fold(w) for w in _PHONE_WORDS})), digits=True)
_WEAK = re.compile(r"(?:call|ring|contact|numer)[^\n]{0,24}\Z")
_NANP = re.compile(r"(?:1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}\Z")


def _phones(text: Text) -> Iterator[Span]:
    plain, lowered = text.numbers, None
    for found in _PHONE.finditer(plain):
        text.spend()
        start, end = found.span()
        number = found[0]
        digits = len(_NOT_DIGITS.sub("", number))
        if digits > 15 or digits < 6:
            continue
        if number[0] == "+":
            if _possible(number):
                yield Span(start, end, "PHONE")
            continue
        if _DATE_LIKE.match(number) or _NO_PHONE.match(number):
            continue
        formed = len(number) > digits
        if not formed and (text.is_reference or (digits < 10 and not text.phone_named)):
            continue
        near = ""
        if text.phone_named:
            lowered = plain.lower() if lowered is None else lowered
            near = lowered[max(0, start - 36) : start]
        if _is_phone(number, digits, near, text.context.regions):
            yield Span(start, end, "PHONE")


_NOT_DIGITS = re.compile(r"\D+")


def _is_phone(number: str, digits: int, near: str, regions: tuple[str, ...]) -> bool:
    """A national number: by the words before it, by its country's plan, or by a form only phones have."""
    formed = len(number) > digits
    named = bool(near) and _PHONE_NEAR.search(near) is not None
    if named and (digits >= 7 or formed) and (formed or not _WEAK.search(near)):
        return True
    if number.startswith("00"):
        return digits >= 11 and _valid("+" + number[2:], "ZZ")
    if formed or named or (number[0] == "0" and digits >= 10):
        if any(_valid(number, region) for region in regions):
            return True
        return bool(formed and _NANP.match(number) and _valid(number, "US"))
    return False


def _possible(number: str) -> bool:
    """Long enough for its country; numbers reserved for fiction are not valid, but shaped as real ones."""
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return False


def _valid(number: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


# --- dates of birth: a date is one only beside a word that says so
_BIRTH_WORDS = (
    "born", "birth", "dob", "d.o.b", "bday",
    # Germanic
    "geboren", "geburt", "geb.", "geboorte", "geb. dat", "född", "födelse", "fødsel", "født", "fødd", "fædd", "fæðing",
    # Romance
    "né le", "née le", "né en", "née en", "naissance", "nacid", "nacim", "nacio", "f. nac", "fec. nac", "nascid", "nascim",
    "nasceu", "nato il", "nata il", "nato a", "nascita", "născut", "naștere", "nașterii", "naixement", "nascut",
    # Slavic and Baltic
    "urodz", "ur.", "narozen", "narodeni", "narodena", "narodeny", "rojen", "rojstva", "rođen", "rođenja", "roden", "rodjen",
    "роден", "раждан", "рожд", "родил", "народж", "народив", "рођен", "раѓање", "gimimo", "gimė", "gimęs", "dzimš", "dzimis",
    # Finnic, Ugric, Turkic
    "syntynyt", "syntymä", "sünni", "sündin", "született", "születés", "doğum", "doğdu", "təvəllüd", "туған",
    # Greek, Semitic, Iranian, Indic
    "γεννη", "γέννη", "γεννήθηκε", "תאריך לידה", "תאריך הלידה", "נולד", "الميلاد", "ميلاد", "مواليد", "تولد", "जन्म", "জন্ম",
    "பிறந்த", "పుట్టిన",
    # East and South-East Asia
    "生年月日", "出生", "生日", "생년월일", "생일", "출생", "lahir", "ngày sinh", "sinh ngày", "วันเกิด", "เกิดวันที่", "kapanganakan",
    "ipinanganak", "kuzaliwa",
)  # fmt: skip
_MONTHS = r"[^\W\d_]{3,14}\.?"
_DATES = (
    r"\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/. ]{1,2}\d{1,2}[-/. ]{1,2}(?:\d{4}|\d{2})|(?:19|20)\d{6}"
    rf"|\d{{1,2}}(?:st|nd|rd|th|\.|er|º)?\s(?:de\s|of\s)?{_MONTHS},?\s(?:de\s|del\s)?\d{{4}}"
    rf"|{_MONTHS}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}}"
    r"|\d{4}[年년]\s?\d{1,2}[月월]\s?\d{1,2}[日일]|\d{4}\.\s\d{1,2}\.\s\d{1,2}"
)
_FOLDED_BIRTH = sorted({fold(w) for w in _BIRTH_WORDS}, key=len, reverse=True)
_BIRTH = re.compile(rf"(?<![a-z])(?:{'|'.join(map(re.escape, _FOLDED_BIRTH))})", re.IGNORECASE)
_DATE = re.compile(rf"(?<![\w.-])({_DATES})(?!\d|[-/.]\d)")


def _births(text: Text) -> Iterator[Span]:
    for word in _BIRTH.finditer(text.plain):
        text.spend(2)
        line = text.plain[word.end() : word.end() + 48].partition("\n")[0]
        if (found := _DATE.search(line)) and _plausible(found[1]):
            yield Span(word.end() + found.start(1), word.end() + found.end(1), "DOB")


def _plausible(date: str) -> bool:
    numbers = [int(n) for n in re.findall(r"\d+", date)]
    if len(numbers) == 1:
        return 1 <= numbers[0] // 100 % 100 <= 12 and 1 <= numbers[0] % 100 <= 31
    return all(n <= 31 or 1900 <= n <= 2035 or 32 <= n <= 99 for n in numbers)


_DIGITS = r"[0-9](?:[ ()./-]{0,3}[0-9]){5}"
DETECTORS = (
    Detector("email", Trigger(("@",)), _emails),
    Detector(
        "spelt email",
        Trigger((" dot ",), r"[\[({<] {0,2}(?:at|a) {0,2}[\])}>]"),
        _spelt_emails,
    ),
    Detector("ipv4", Trigger(shape=r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"), _addresses),
    Detector("ipv6", Trigger(shape=r"::|[0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f]"), _six),
    Detector("birth", Trigger(tuple(_FOLDED_BIRTH), digits=True), _births),
)
PHONES = Detector("phone", Trigger(shape=_DIGITS), _phones)
