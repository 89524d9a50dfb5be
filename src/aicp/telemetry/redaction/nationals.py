"""National ids of people: shape, check digits by python-stdnum, and for bare digits the words around.

`sure` forms (letters, separators, two check digits) stand alone. Others are taken beside a word that names
them, or when they have a date in them and the tenant lives in that country.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module

from aicp.telemetry.redaction.detector import Detector, Span, Text
from aicp.telemetry.redaction.engines import Trigger
from aicp.telemetry.redaction.normal import fold


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write one country's id.

    Args:
        country: ISO 3166.
        check: module of stdnum with `is_valid`, "" when the shape is all there is.
        shape: of the whole number.
        sure: it needs neither a word beside it nor its country.
        dated: it holds a date or several check digits: its country suffices.
    """

    country: str
    check: str
    shape: str
    sure: bool = False
    dated: bool = False


FORMS = (
    Form("US", "us.ssn", r"\d{3}-\d{2}-\d{4}", sure=True),
    Form("US", "us.ssn", r"\d{3} \d{2} \d{4}|\d{9}"),
    Form("US", "us.itin", r"9\d{2}-\d{2}-\d{4}", sure=True),
    Form("GB", "", r"(?![DFIQUV])[A-CEGHJ-PR-TW-Z](?![DFIOQUV])[A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", sure=True),
    Form("GB", "gb.nhs", r"\d{3}[ -]\d{3}[ -]\d{4}", dated=True),
    Form("GB", "gb.nhs", r"\d{10}"),
    Form("DE", "de.idnr", r"\d{2} \d{3} \d{3} \d{3}", sure=True),
    Form("DE", "de.idnr", r"\d{11}", dated=True),
    Form("FR", "fr.nir", r"[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}", sure=True),
    Form("ES", "es.dni", r"\d{8}[ -]?[A-HJ-NP-TV-Z]|\d{2}\.\d{3}\.\d{3}-?[A-HJ-NP-TV-Z]", sure=True),
    Form("ES", "es.nie", r"[XYZ][ -]?\d{7}[ -]?[A-Z]", sure=True),
    Form("IT", "it.codicefiscale", r"[A-Z]{6}[\dLMNP-V]{2}[A-EHLMPR-T][\dLMNP-V]{2}[A-Z][\dLMNP-V]{3}[A-Z]"
         r"|[A-Z]{3} [A-Z]{3} [\dLMNP-V]{2}[A-EHLMPR-T][\dLMNP-V]{2} [A-Z][\dLMNP-V]{3}[A-Z]", sure=True),
    Form("NL", "nl.bsn", r"\d{4}[. ]?\d{2}[. ]?\d{3}|\d{9}"),
    Form("BE", "be.nn", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", sure=True),
    Form("BE", "be.nn", r"\d{11}", dated=True),
    Form("PL", "pl.pesel", r"\d{11}", dated=True),
    Form("SE", "se.personnummer", r"(?:\d{2})?\d{6}[-+]\d{4}", sure=True),
    Form("SE", "se.personnummer", r"(?:\d{2})?\d{10}", dated=True),
    Form("FI", "fi.hetu", r"\d{6}[-+ABCDEFYXWVU]\d{3}[0-9A-FHJ-NPR-Y]", sure=True),
    Form("DK", "dk.cpr", r"\d{6}-\d{4}", sure=True),
    Form("DK", "dk.cpr", r"\d{10}", dated=True),
    Form("NO", "no.fodselsnummer", r"\d{6} \d{5}", sure=True),
    Form("NO", "no.fodselsnummer", r"\d{11}", dated=True),
    Form("PT", "pt.cc", r"\d{8}[ -]?\d[ -]?[A-Z0-9]{2}\d", sure=True),
    Form("PT", "pt.nif", r"\d{3} \d{3} \d{3}|\d{9}"),
    Form("BR", "br.cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}", sure=True),
    Form("BR", "br.cpf", r"\d{11}", dated=True),
    Form("AR", "ar.cuit", r"\d{2}-\d{8}-\d", sure=True),
    Form("AR", "ar.cuit", r"\d{11}"),
    Form("CL", "cl.rut", r"\d{1,2}\.\d{3}\.\d{3}-[\dK]|\d{7,8}-[\dK]", sure=True),
    Form("MX", "mx.curp", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[0-9A-Z]\d", sure=True),
    Form("MX", "mx.rfc", r"[A-Z]{4}\d{6}[A-Z0-9]{3}", sure=True),
    Form("IN", "in_.aadhaar", r"[2-9]\d{3}[ -]\d{4}[ -]\d{4}", dated=True),
    Form("IN", "in_.aadhaar", r"[2-9]\d{11}"),
    Form("IN", "in_.pan", r"[A-Z]{3}[PCHABGJLFT][A-Z]\d{4}[A-Z]", sure=True),
    Form("CN", "cn.ric", r"\d{17}[\dX]", sure=True),
    Form("KR", "kr.rrn", r"\d{6}-\d{7}", sure=True),
    Form("KR", "kr.rrn", r"\d{13}", dated=True),
    Form("JP", "jp.in_", r"\d{4}[ -]\d{4}[ -]\d{4}|\d{12}"),
    Form("TR", "tr.tckimlik", r"[1-9]\d{10}", dated=True),
    Form("ZA", "za.idnr", r"\d{6} ?\d{4} ?\d{2} ?\d|\d{13}", dated=True),
    Form("AU", "au.tfn", r"\d{3} \d{3} \d{3}|\d{8,9}"),
    Form("CA", "ca.sin", r"\d{3}[ -]\d{3}[ -]\d{3}|\d{9}"),
    Form("NZ", "nz.ird", r"\d{2,3}-\d{3}-\d{3}|\d{8,9}"),
    Form("CH", "ch.ssn", r"756\.?\d{4}\.?\d{4}\.?\d{2}", sure=True),
    Form("AT", "at.vnr", r"\d{4} ?\d{6}", dated=True),
    Form("CZ", "cz.rc", r"\d{6}/\d{3,4}", sure=True),
    Form("RO", "ro.cnp", r"[1-9]\d{12}", dated=True),
    Form("BG", "bg.egn", r"\d{10}", dated=True),
    Form("EE", "ee.ik", r"[1-6]\d{10}", dated=True),
    Form("LT", "lt.asmens", r"[1-6]\d{10}", dated=True),
    Form("HR", "hr.oib", r"\d{11}"),
    Form("SI", "si.emso", r"\d{13}", dated=True),
    Form("GR", "gr.amka", r"\d{11}", dated=True),
    Form("IL", "il.idnr", r"\d{9}"),
    Form("TH", "th.pin", r"\d-\d{4}-\d{5}-\d{2}-\d", sure=True),
    Form("TH", "th.pin", r"\d{13}", dated=True),
    Form("MY", "my.nric", r"\d{6}-\d{2}-\d{4}", sure=True),
    Form("ID", "id.nik", r"\d{16}", dated=True),
    Form("IE", "ie.pps", r"\d{7}[A-W][AHWTX]?", sure=True),
    Form("IS", "is_.kennitala", r"\d{6}-\d{4}", sure=True),
    Form("SG", "", r"[STFG]\d{7}[A-Z]", sure=True),
)  # fmt: skip

_NAMES = (
    "ssn", "social security", "national id", "national insurance", "nino", "nhs", "tax id", "taxpayer", "tax number",
    "tin", "itin", "id number", "id no", "id card", "identity", "identification", "steuer-id", "steueridentifikation",
    "steuernummer", "idnr", "sécurité sociale", "securite sociale", "nir", "dni", "nie", "nif", "codice fiscale",
    "bsn", "burgerservice", "rijksregister", "national number", "pesel", "personnummer", "henkilotunnus", "hetu",
    "cpr", "fødselsnummer", "fodselsnr", "fnr", "cpf", "cuit", "cuil", "rut", "curp", "rfc", "aadhaar", "aadhar",
    "身份证", "주민등록번호", "マイナンバー", "个人番号", "個人番号", "my number", "kimlik", "tckn", "t.c.", "sa id",
    "tfn", "tax file", "sin", "social insurance", "ird", "ahv", "avs", "sozialversicherung", "svnr", "rodné číslo",
    "rodne cislo", "cnp", "cod numeric", "егн", "egn", "isikukood", "asmens kodas", "oib", "emšo", "αμκα", "amka",
    "תעודת זהות", "บัตรประชาชน", "nric", "nik", "ktp", "pps", "kennitala", "passport", "ssn#", "citizen id",
    "govt id", "government id", "contribuinte", "személyi szám", "personas kods", "rodné číslo", "рнокпп", "інн", "инн", "cccd", "cmnd",
    "الرقم القومي", "رقم الهوية", "nit", "cédula", "jmbg", "matični broj", "számjel", "isikukood", "philsys", "bvn", "emirates id", "cartão de cidadão", "insurance no", "insurance number", "снилс",
)  # fmt: skip
ID_NAMED = Trigger(tuple(sorted({fold(n) for n in _NAMES})), digits=True)
_NEAR = re.compile(
    "(?<![a-z])(?:"
    + "|".join(sorted({re.escape(fold(n)) for n in _NAMES}, key=len, reverse=True))
    + r")(?![a-z])[^\n]{0,28}\Z"
)
_EDGE = r"(?<![\w])(?<!\d[.\-/])(?:{})(?![\w]|[.\-/]\d)"
_SEPARATORS = re.compile(r"[ .\-/]")


@cache
def _compiled() -> tuple[tuple[Form, re.Pattern[str]], ...]:
    return tuple((form, re.compile(rf"(?:{form.shape})\Z", re.IGNORECASE)) for form in FORMS)


# The first character first and what is before it after that: so a search skips to it at once.
_DIGITS = re.compile(
    r"\d(?<!\w\d)(?<!\d[.\-/]\d)(?:"
    r"(?:[ .\-/]?\d){7,17}(?:[ -]?[A-Za-z]{1,2}\d?)?"  # digits, perhaps a letter at the end
    r"| ?\d{2} ?\d{2} ?\d[AB\d] ?\d{3} ?\d{3} ?\d{2}"
    r"|\d{5}[-+A-FU-Ya-fu-y]\d{3}[0-9A-Ya-y]"
    r"|\d{6,7}[ -]?\d?[ -]?[A-Za-z0-9]{1,2}\d?"
    r"|\d?\.\d{3}\.\d{3}-?[\dA-Za-z]|\d{6,7}-[\dKk]"
    r")(?![\w]|[.\-/]\d)"
)
_LETTERS = re.compile(
    r"[A-Za-z](?<!\w[A-Za-z])(?:"
    r"[ -]?\d{7}[ -]?[A-Za-z]"
    r"|[A-Za-z] ?\d{2} ?\d{2} ?\d{2} ?[A-Da-d]"
    r"|[A-Za-z]{2} ?[A-Za-z]{3} ?[0-9L-Vl-v]{2}[A-Ta-t][0-9L-Vl-v]{2} ?[A-Za-z][0-9L-Vl-v]{3}[A-Za-z]"
    r"|[A-Za-z]{3}\d{6}[0-9A-Za-z]{3,8}|[A-Za-z]{4}\d{4}[A-Za-z]"
    r")(?![\w]|[.\-/]\d)"
)


def _ids(text: Text) -> Iterator[Span]:
    return _found(text, _DIGITS)


def _lettered(text: Text) -> Iterator[Span]:
    return _found(text, _LETTERS)


def _found(text: Text, candidates: re.Pattern[str]) -> Iterator[Span]:
    plain = text.numbers
    for found in candidates.finditer(plain):
        text.spend(4)
        start = found.start()
        near = text.id_named and _NEAR.search(plain[max(0, start - 44) : start].lower()) is not None
        for number in _readings(found[0]):
            if _known(number, near, text.context.regions):
                yield Span(start, start + len(number), "NATIONAL_ID")
                break


def _readings(candidate: str) -> tuple[str, ...]:
    """With the letter behind a space, which may be its last or the next word, and without."""
    if bare := _NEXT_WORD.sub("", candidate):
        return (candidate,) if bare == candidate else (candidate, bare)
    return (candidate,)


def _known(number: str, near: bool, regions: tuple[str, ...]) -> bool:
    forms = _compiled() if near else _local(regions)
    if any(pattern.match(number) and valid(form, number) for form, pattern in forms):
        return True
    if not near:
        return _sure().match(number) is not None and any(
            pattern.match(number) and valid(form, number)
            for form, pattern in _compiled()
            if form.sure
        )
    # It says what it is: a wrong check digit is a slip.
    return number[0].isdigit() and number[-1].isdigit() and sum(map(str.isdigit, number)) >= 8


@cache
def _sure() -> re.Pattern[str]:
    """Any of the forms that stand alone."""
    return re.compile(
        "(?:" + "|".join(f"(?:{f.shape})" for f in FORMS if f.sure) + r")\Z", re.IGNORECASE
    )


@lru_cache(maxsize=256)
def _local(regions: tuple[str, ...]) -> tuple[tuple[Form, re.Pattern[str]], ...]:
    """The forms that the tenant's countries are enough for."""
    return tuple((f, p) for f, p in _compiled() if f.dated and not f.sure and f.country in regions)


_NEXT_WORD = re.compile(r"[ ][A-Za-z]{1,2}\d?\Z")


def valid(form: Form, number: str) -> bool:
    """Whether the check digits are right, and number is none of a list of reserved ones."""
    if not form.check:
        return True
    return _check(form.check)(number)


@cache
def _check(module: str) -> Callable[[str], bool]:
    return import_module(f"stdnum.{module}").is_valid


DETECTORS = (
    Detector("national id", Trigger(shape=r"[0-9](?:[ ./-]?[0-9]){6}|[0-9]{6}[a-z][0-9]{3}"), _ids),
    Detector(
        "lettered national id",
        Trigger(
            shape=r"[xyzstfg][ -]?[0-9]{7}[ -]?[a-z]|[a-z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[a-d]"
            r"|[a-z]{3} ?[a-z]{3} ?[0-9l-v]{2}[a-t][0-9l-v]{2} ?[a-z][0-9l-v]{3}[a-z]|[a-z]{4}[0-9]{4}[a-z0-9]"
        ),
        _lettered,
    ),
)
