"""Made-up values for measuring redaction, put together at run time from a seed.

Reserved names and ranges where there are any (RFC 2606, RFC 5737, RFC 3849, numbers for fiction, test numbers
of card brands, example numbers of numbering plans); ids with a date in them are of people who would be over
110 years old. Nothing here is a person's.
"""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

import phonenumbers
from phonenumbers import PhoneNumberFormat as Form
from phonenumbers import PhoneNumberType as Type
from stdnum import iban, luhn

LOCALES = (
    "en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "nl_BE", "pl_PL", "sv_SE", "fi_FI", "da_DK",
    "nb_NO", "pt_PT", "pt_BR", "es_AR", "es_CL", "es_MX", "en_IN", "zh_CN", "ko_KR", "ja_JP",
)  # fmt: skip
HELD_OUT = (
    "tr_TR",
    "en_ZA",
    "en_AU",
    "en_CA",
    "de_CH",
    "cs_CZ",
    "ro_RO",
    "bg_BG",
    "el_GR",
    "he_IL",
    "et_EE",
    "en_IE",
)
FRESH = (
    "hr_HR",
    "hu_HU",
    "sk_SK",
    "lt_LT",
    "uk_UA",
    "is_IS",
    "sl_SI",
    "id_ID",
    "lv_LV",
    "vi_VN",
    "th_TH",
    "ar_EG",
    "fr_CA",
    "es_CO",
)
KINDS = ("EMAIL", "PHONE", "CARD", "IBAN", "NATIONAL_ID", "IP", "DOB", "SECRET")
BY_KEY = ("PERSON", "ADDRESS")


@dataclass(frozen=True, slots=True)
class Value:
    """One thing to be found.

    Args:
        lead, trail: what must stand before and behind it, because without that nobody could tell.
        key: a name under which it is often logged.
    """

    kind: str
    text: str
    lead: str
    key: str
    flavour: str
    trail: str = ""


def make(kind: str, locale: str, rng: Random) -> Value:
    """A value of a kind as it is written in a place."""
    return _MAKERS[kind](locale, rng)


def region_of(locale: str) -> str:
    return locale[3:]


def _one(rng: Random, text: str) -> str:
    return rng.choice(text.split("|"))


def _digits(rng: Random, count: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(count))


def _token(rng: Random, count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(rng.choice(alphabet) for _ in range(count))


_FIRST = (
    "kim|ana|jörg|zoë|li.wei|o'neil|maria-jose|x|contact|billing+7|first.last|k_m|søren|NOREPLY|a1"
)
_LAST = "cole|müller|garcia|dubois|rossi|yilmaz|kowalski|lindqvist|virtanen|tanaka|silva|novak"
_HOSTS = "acme.example|mail.example.com|example.org|example.net|shop.test|x.co.example|sub.dept.example.com|firma.invalid"


def _email(_locale: str, rng: Random) -> Value:
    name = f"{_one(rng, _FIRST)}{rng.choice(['.' + _one(rng, _LAST), _digits(rng, 2), ''])}"
    name = name if rng.random() < 0.2 else name.encode("ascii", "ignore").decode()
    return Value(
        "EMAIL",
        f"{name}@{_one(rng, _HOSTS)}",
        "",
        _one(rng, "email|user_email|contactEmail|e-mail"),
        "address",
    )


_TEL = {"de": "Tel.", "fr": "tél.", "es": "teléfono", "it": "telefono", "nl": "tel.", "pl": "telefon", "sv": "telefon", "fi": "puhelin",
        "da": "telefon", "nb": "telefon", "pt": "telefone", "zh": "电话", "ko": "전화", "ja": "電話", "tr": "telefon", "cs": "telefon",
        "ro": "telefon", "hr": "telefon", "hu": "telefon", "sk": "telefón", "lt": "telefonas", "uk": "телефон", "is": "sími",
        "sl": "telefon", "id": "telepon", "lv": "tālrunis", "vi": "điện thoại", "th": "โทร", "ar": "هاتف", "bg": "телефон", "el": "τηλ.", "he": "טלפון", "et": "telefon", "en": "phone"}  # fmt: skip


def _phone(locale: str, rng: Random) -> Value:
    region = region_of(locale)
    number = _reserved(region, rng) or _example(region, rng)
    flavour = rng.choice(
        ["international", "international", "e164", "national", "national", "national in a sentence"]
    )
    if flavour == "e164":
        text = phonenumbers.format_number(number, Form.E164)
    elif flavour == "international":
        text = phonenumbers.format_number(number, Form.INTERNATIONAL)
        text = text.replace(" ", rng.choice([" ", " ", "-", "."]))
    else:
        text = phonenumbers.format_number(number, Form.NATIONAL)
    lead = f"{_TEL[locale[:2]]}{rng.choice([' ', ': '])}" if flavour == "national" else ""
    return Value(
        "PHONE", text, lead, _one(rng, "phone|phoneNumber|mobile|contact_phone|tel"), flavour
    )


def _reserved(region: str, rng: Random) -> phonenumbers.PhoneNumber | None:
    """Numbers kept for fiction: 555-01xx in North America, Ofcom's in Britain, ACMA's in Australia."""
    text = {
        "US": f"+1 {rng.choice(['212', '415', '312'])} 555 01{_digits(rng, 2)}", "CA": f"+1 416 555 01{_digits(rng, 2)}",
        "GB": f"{rng.choice(['+44 20 7946 0', '+44 7700 900'])}{_digits(rng, 3)}", "AU": f"+61 491 570 {rng.choice(['156', '157', '158', '159', '110'])}",
    }.get(region)  # fmt: skip
    return phonenumbers.parse(text) if text else None


def _example(region: str, rng: Random) -> phonenumbers.PhoneNumber:
    kind = rng.choice([Type.MOBILE, Type.FIXED_LINE])
    number = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(
        region
    )
    assert number is not None
    return number


_BINS = (
    "411111",
    "424242",
    "401288",
    "555555",
    "510510",
    "222300",
    "378282",
    "371449",
    "601111",
    "353011",
    "305693",
)


def _card(_locale: str, rng: Random) -> Value:
    lead = rng.choice(_BINS)
    size = 15 if lead[0] == "3" and lead[1] in "47" else 14 if lead.startswith("30") else 16
    body = lead + _digits(rng, size - 7)
    number = body + luhn.calc_check_digit(body)
    groups = (
        [number[:4], number[4:10], number[10:]]
        if size < 16
        else [number[i : i + 4] for i in range(0, 16, 4)]
    )
    text = rng.choice(["", " ", "-", " "]).join(groups)
    return Value("CARD", text, "", _one(rng, "card_number|cardNumber|pan|cc-number"), "test number")


_BANKS = {"DE": "{18}", "FR": "{23}", "ES": "{20}", "NL": "ABNA{10}", "GB": "NWBK{14}", "BE": "{12}", "PL": "{24}", "SE": "{20}",
          "FI": "{14}", "DK": "{14}", "NO": "{11}", "PT": "{21}", "CH": "{17}", "AT": "{16}", "CZ": "{20}", "IE": "AIBK{14}",
          "EE": "{16}", "GR": "{23}", "RO": "AAAA{16}", "BG": "BNBG{14}", "TR": "{22}", "IL": "{19}"}  # fmt: skip


def _iban(locale: str, rng: Random) -> Value:
    country = region_of(locale) if region_of(locale) in _BANKS else rng.choice(sorted(_BANKS))
    while True:
        head, _, count = _BANKS[country].partition("{")
        body = head + _digits(rng, int(count[:-1]))
        value = body + country + "00"
        check = 98 - int("".join(str(int(c, 36)) for c in value)) % 97
        number = f"{country}{check:02}{body}"
        if iban.is_valid(number, check_country=False):
            break
    text = rng.choice([number, iban.format(number), iban.format(number), number.lower()])
    return Value("IBAN", text, "", _one(rng, "iban|bank_iban|IBAN"), "by structure")


def _ip(_locale: str, rng: Random) -> Value:
    if rng.random() < 0.7:
        text = f"{rng.choice(['192.0.2', '198.51.100', '203.0.113'])}.{rng.randint(1, 254)}"
        return Value("IP", text, "", _one(rng, "ip|client_ip|remoteAddr|ip-address"), "v4")
    parts = [f"{rng.randrange(65536):x}" for _ in range(rng.choice([1, 2, 6]))]
    text = "2001:db8:" + (":".join(parts) if len(parts) == 6 else ":" + ":".join(parts))
    return Value("IP", text, "", _one(rng, "ip|client_ip|remoteAddr|ip-address"), "v6")


_BORN = {"en": "born on |date of birth: |DOB |dob=", "de": "geboren am |Geburtsdatum: ", "fr": "né le |date de naissance : ",
         "es": "nacido el |fecha de nacimiento: ", "it": "nato il |data di nascita: ", "nl": "geboren op |geboortedatum ",
         "pl": "urodzony |data urodzenia: ", "sv": "född |födelsedatum: ", "fi": "syntynyt |syntymäaika: ", "da": "født ",
         "nb": "født |fødselsdato: ", "pt": "nascido em |data de nascimento: ", "zh": "出生日期：|出生 ", "ko": "생년월일: ",
         "ja": "生年月日: ", "tr": "doğum tarihi: ", "cs": "datum narození: |narozen ", "ro": "născut la |data nașterii: ",
         "bg": "роден на |дата на раждане: ", "el": "γεννήθηκε |ημερομηνία γέννησης: ", "he": "תאריך לידה: ",
         "et": "sünnikuupäev: |sündinud ", "hr": "rođen |datum rođenja: ", "hu": "született |születési idő: ", "sk": "narodený |dátum narodenia: ",
         "lt": "gimimo data: |gimęs ", "uk": "дата народження: |народився ", "is": "fæðingardagur: |fæddur ", "sl": "datum rojstva: |rojen ",
         "id": "tanggal lahir: |lahir ", "lv": "dzimšanas datums: |dzimis ", "vi": "ngày sinh: |sinh ngày ", "th": "วันเกิด: ",
         "ar": "تاريخ الميلاد: "}  # fmt: skip
_MONTHS = {"en": "January February March April May June July August September October November December",
           "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
           "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
           "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
           "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"}  # fmt: skip


def _dob(locale: str, rng: Random) -> Value:
    day = date(1940, 1, 1) + timedelta(days=rng.randrange(25000))
    language = locale[:2]
    forms = [
        f"{day:%Y-%m-%d}",
        f"{day:%d.%m.%Y}",
        f"{day:%d/%m/%Y}",
        f"{day:%d-%m-%Y}",
        f"{day:%Y/%m/%d}",
    ]
    if language in _MONTHS:
        month = _MONTHS[language].split()[day.month - 1]
        forms += [
            f"{day.day}{'.' * (language == 'de')} {'de ' * (language == 'es')}{month} {'de ' * (language == 'es')}{day.year}"
        ]
    if language == "en":
        forms += [
            f"{day:%B} {day.day}, {day.year}",
            f"{day:%b} {day.day}, {day.year}",
            f"{day:%m/%d/%Y}",
        ]
    if language in ("zh", "ja"):
        forms += [f"{day.year}年{day.month}月{day.day}日"]
    if language == "ko":
        forms += [f"{day.year}년 {day.month}월 {day.day}일"]
    return Value(
        "DOB",
        rng.choice(forms),
        _one(rng, _BORN[language]),
        _one(rng, "dob|date_of_birth|birthDate"),
        "date",
    )


# country -> (module of stdnum, template: digits are #, a birth date is %, how it is written, word before it)
_IDS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "US": ("us.ssn", ("7##-##-####", "6##-##-####"), "SSN "), "GB": ("", ("@@ ## ## ## @", "@@######@"), "NI number "),
    "DE": ("de.idnr", ("## ### ### ###", "###########"), "Steuer-ID "), "FR": ("fr.nir", ("1 07 05 75 ### ### ##", "2091275######"), "NIR "),
    "ES": ("es.dni", ("########@", "########-@"), "DNI "), "IT": ("it.codicefiscale", ("RSSMRA07@##H501@", "VRDLGI11@##F205@"), "codice fiscale "),
    "NL": ("nl.bsn", ("#########",), "BSN "), "BE": ("be.nn", ("07.0#.##-###.##", "11.1#.##-###.##"), ""),
    "PL": ("pl.pesel", ("07052######", "11112######"), "PESEL "), "SE": ("se.personnummer", ("07052#-####", "19111112-####"), "personnummer "),
    "FI": ("fi.hetu", ("#10107-###&", "#21211-###&"), ""), "DK": ("dk.cpr", ("#10507-####", "#21111-####"), ""),
    "NO": ("no.fodselsnummer", ("#10507#####", "#21111 #####"), "fødselsnummer "), "PT": ("pt.cc", ("######## # ZZ#", "########"), "cartão de cidadão "),
    "BR": ("br.cpf", ("###.###.###-##", "###########"), "CPF "), "AR": ("ar.cuit", ("20-########-#", "27-########-#"), "CUIT "),
    "CL": ("cl.rut", ("##.###.###-#", "########-#"), "RUT "), "MX": ("mx.curp", ("GOMC070505HDFRRL0#", "PEXJ111111MMCRNS0#"), "CURP "),
    "IN": ("in_.aadhaar", ("#### #### ####", "############"), "Aadhaar "), "CN": ("cn.ric", ("11010519070505###&", "31010119111111###&"), ""),
    "KR": ("kr.rrn", ("07050#-9######", "11111#-9######"), ""), "JP": ("jp.in_", ("#### #### ####", "############"), "マイナンバー "),
    "TR": ("tr.tckimlik", ("###########",), "TC kimlik "), "ZA": ("za.idnr", ("070505####08#", "111111####08#"), "ID number "),
    "AU": ("au.tfn", ("### ### ###", "#########"), "TFN "), "CA": ("ca.sin", ("### ### ###", "###-###-###"), "SIN "),
    "CH": ("ch.ssn", ("756.####.####.##", "756##########"), ""), "CZ": ("cz.rc", ("0705##/###", "1111##/###"), ""),
    "RO": ("ro.cnp", ("107050#######", "211111#######"), "CNP "), "BG": ("bg.egn", ("072505####", "113111####"), "ЕГН "),
    "GR": ("gr.amka", ("050507#####", "111111#####"), "ΑΜΚΑ "), "IL": ("il.idnr", ("#########",), "תעודת זהות "),
    "EE": ("ee.ik", ("307050#####", "411111#####"), "isikukood "), "IE": ("ie.pps", ("#######@", "#######@A"), "PPS "),
    "HR": ("hr.oib", ("###########",), "OIB "), "HU": ("", ("8-070505-####",), "személyi szám "), "SK": ("sk.rc", ("0705##/###", "1111##/###"), ""),
    "LT": ("lt.asmens", ("307050#####", "411111#####"), "asmens kodas "), "UA": ("ua.rntrc", ("##########",), "РНОКПП "),
    "IS": ("is_.kennitala", ("07050#-####", "11111#-####"), ""), "SI": ("si.emso", ("0705907######", "1111911######"), "EMŠO "),
    "ID": ("id.nik", ("317301070507####", "327301111111####"), "NIK "), "LV": ("lv.pvn", ("07050#-1####", "11111#-1####"), "personas kods "),
    "VN": ("", ("001107######",), "CCCD "), "TH": ("th.pin", ("#-####-#####-##-#", "#############"), ""), "EG": ("", ("207050501#####",), "الرقم القومي "),
    "CO": ("co.nit", ("########-#",), "NIT "),
}  # fmt: skip


def _national(locale: str, rng: Random) -> Value:
    module, forms, lead = _IDS[region_of(locale)]
    template = rng.choice(forms)
    valid = _checker(module)
    for _ in range(60_000):
        text = _filled(template, rng)
        if valid(text):
            return Value(
                "NATIONAL_ID",
                text,
                lead,
                _one(rng, "national_id|ssn|taxId|personal-id-number|id_number"),
                region_of(locale),
            )
    return _national(locale, rng)


def _checker(module: str) -> Callable[[str], bool]:
    if not module:
        return lambda _text: True
    package, _, name = module.partition(".")
    from importlib import import_module

    return import_module(f"stdnum.{package}.{name}").is_valid


def _filled(template: str, rng: Random) -> str:
    if template.startswith("@@"):  # national insurance: neither D F I Q U V nor O
        return "".join(rng.choice("ABCEGHJK") if c == "@" and i < 2 else rng.choice("ABCD") if c == "@"
                       else rng.choice(string.digits) if c == "#" else c for i, c in enumerate(template))  # fmt: skip
    return "".join(
        rng.choice(string.digits) if c == "#" else rng.choice(string.ascii_uppercase) if c == "@"
        else rng.choice(string.digits + "ABCDEFHJKLMNPRSTUVWXY") if c == "&" else c for c in template
    )  # fmt: skip


def _secret(_locale: str, rng: Random) -> Value:
    flavour = rng.choice(sorted(_SECRETS))
    lead, key, text = _SECRETS[flavour](rng)
    trail = "@db.example:5432/x" if flavour in ("dsn", "userinfo") else ""
    return Value("SECRET", text, lead, key, flavour, trail)


def _b64url(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _jwt(rng: Random) -> str:
    return f"{_b64url({'alg': 'HS256', 'typ': 'JWT'})}.{_b64url({'sub': _digits(rng, 8), 'n': _token(rng, 6)})}.{_token(rng, 43)}"


def _password(rng: Random) -> str:
    return rng.choice([
        _one(rng, "hunter|Sommer|correct|Tr0ub|winter|S3cure|qwerty|dragon") + _digits(rng, 3) + rng.choice(["!", "#", "", "$x", "_a"]),
        _token(rng, 12, string.ascii_letters + string.digits + "!#$%*+-_^"), _token(rng, 9) + _digits(rng, 1),
    ])  # fmt: skip


_ALNUM = string.ascii_letters + string.digits
_SECRETS: dict[str, Callable[[Random], tuple[str, str, str]]] = {
    "password in prose": lambda r: (_one(r, "the password is |password for root is |his password was changed to |login with password "), "password", _password(r)),
    "password assigned": lambda r: (_one(r, 'password=|PASSWORD: |passwd = |"password": |pwd='), "db_password", _password(r)),
    "password, other languages": lambda r: (_one(r, "Passwort: |contraseña: |mot de passe : |senha=|wachtwoord: |lösenord: |hasło: |пароль: |密码: "), "passwort", _password(r)),
    "jwt": lambda r: ("", "id_token", _jwt(r)),
    "bearer": lambda r: (_one(r, "Authorization: Bearer |bearer "), "authorization", _token(r, 32, _ALNUM + "-_")),
    "basic": lambda r: ("Authorization: Basic ", "Authorization", base64.b64encode(f"u:{_token(r, 12)}".encode()).decode()),
    "aws key id": lambda r: ("", "aws_access_key", "AKIA" + _token(r, 16, string.ascii_uppercase + "234567")),
    "aws secret": lambda r: (_one(r, "aws_secret_access_key=|secret key: "), "aws_secret_access_key", _token(r, 40, _ALNUM + "+/")),
    "github": lambda r: ("", "token", "ghp_" + _token(r, 36)),
    "github fine-grained": lambda r: ("", "github_token", f"github_pat_{_token(r, 22)}_{_token(r, 59)}"),
    "gitlab": lambda r: ("", "gitlab_token", "glpat-" + _token(r, 20, _ALNUM + "-_")),
    "stripe": lambda r: ("", "stripe_key", _one(r, "sk_test_|rk_test_|sk_live_") + _token(r, 24)),
    "slack": lambda r: ("", "slack_token", f"xoxb-{_digits(r, 12)}-{_digits(r, 12)}-{_token(r, 24)}"),
    "slack hook": lambda r: ("https://hooks.slack.com/services/", "webhook_url", f"T{_token(r, 8)}/B{_token(r, 8)}/{_token(r, 24)}"),
    "google": lambda r: ("", "google_api_key", "AIza" + _token(r, 35, _ALNUM + "-_")),
    "npm": lambda r: ("", "npm_token", "npm_" + _token(r, 36)),
    "pypi": lambda r: ("", "pypi_token", "pypi-AgEIcHlwaS5vcmc" + _token(r, 70, _ALNUM + "-_")),
    "openai": lambda r: ("", "openai_api_key", "sk-proj-" + _token(r, 48, _ALNUM + "-_")),
    "supabase": lambda r: ("", "supabase_token", "sbp_" + _token(r, 40, "0123456789abcdef")),
    "sendgrid": lambda r: ("", "sendgrid_key", f"SG.{_token(r, 22)}.{_token(r, 43)}"),
    "twilio": lambda r: ("", "twilio_key", "SK" + _token(r, 32, "0123456789abcdef")),
    "telegram": lambda r: ("", "bot_token", f"{_digits(r, 9)}1:{_token(r, 35, _ALNUM + '-_')}"),
    "opaque": lambda r: ("", "access_token", _token(r, r.choice([32, 43, 64]), _ALNUM + r.choice(["", "-_"]))),
    "hex by name": lambda r: (_one(r, "api_key=|secret: |client_secret="), "client_secret", _token(r, 32, "0123456789abcdef")),
    "private key": lambda r: ("", "private_key", f"-----BEGIN RSA PRIVATE KEY-----\n{_token(r, 64)}\n{_token(r, 40)}\n-----END RSA PRIVATE KEY-----"),
    "dsn": lambda r: ("postgresql://app:", "database_url", _token(r, 10, _ALNUM + "!$")),
    "userinfo": lambda r: ("https://deploy:", "repo_url_secret", _token(r, 16)),
    "url token": lambda r: (_one(r, "https://h.example/cb?token=|https://h.example/a?x=1&access_token=|/v1?sig="), "signature", _token(r, 20)),
    "cookie": lambda r: (_one(r, "Cookie: sid=|Set-Cookie: session="), "cookie", _token(r, 24)),
    "option": lambda r: (_one(r, "mysql --password |tool --api-key |curl -u kim:"), "password", _password(r)),
}  # fmt: skip


def _person(_locale: str, rng: Random) -> Value:
    name = f"{_one(rng, 'Kim|Ana|Jörg|Zoë|Li|María|Søren')} {_one(rng, _LAST).title()}"
    return Value(
        "PERSON", name, "", _one(rng, "full_name|customerName|last-name|cardholder"), "name"
    )


def _address(_locale: str, rng: Random) -> Value:
    text = f"{_one(rng, 'Main Street|Hauptstraße|Rue de la Paix|Calle Mayor|Via Roma')} {rng.randint(1, 99)}, {_digits(rng, 5)} {_one(rng, 'Springfield|Musterstadt|Nulle Part')}"
    return Value(
        "ADDRESS", text, "", _one(rng, "address|billing_address|shippingAddress|street"), "address"
    )


_MAKERS: dict[str, Callable[[str, Random], Value]] = {
    "EMAIL": _email, "PHONE": _phone, "CARD": _card, "IBAN": _iban, "NATIONAL_ID": _national, "IP": _ip, "DOB": _dob,
    "SECRET": _secret, "PERSON": _person, "ADDRESS": _address,
}  # fmt: skip
