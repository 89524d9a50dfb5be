"""What the name of a field says about its value, whatever the value looks like.

Names are folded first: `apiKey`, `API-Key`, `x_api_key` and `Api Key` are the same words. What is about a
secret and not the secret (`tokens_used`, `password_policy`, `token_expires_at`) is an exception by word.
A field that the event catalogue declares personal or secret is registered here, and needs no code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

from aicp.telemetry.redaction.markers import MARKER
from aicp.telemetry.redaction.normal import fold

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
LONGEST = 128  # a longer key is no name

# One word of the name is enough.
_SECRET_WORDS = frozenset(
    ["password", "passwords", "passwd", "passwort", "passphrase", "passcode", "pwd", "secret", "secrets", "token", "tokens", "apikey", "apikeys", "credential", "credentials", "creds", "authorization", "cookie", "cookies", "privatekey", "otp", "totp", "cvv", "cvc", "csrf", "xsrf", "jwt", "bearer", "kennwort", "contrasena", "senha", "motdepasse", "wachtwoord", "losenord", "haslo", "salasana", "adgangskode", "heslo", "parola", "sifre", "jelszo", "sandi", "jsessionid", "phpsessid", "sessionid", "secretkey", "accesskey", "accesstoken", "refreshtoken", "authtoken", "idtoken", "clientsecret", "signingkey", "encryptionkey", "sharedkey", "accountkey", "masterkey", "connectionstring", "dsn", "mnemonic"]
)  # fmt: skip
_SECRET_WORDS |= {
    fold(word)
    for word in [
        "пароль",
        "密码",
        "密碼",
        "パスワード",
        "비밀번호",
        "סיסמה",
        "κωδικός",
        "пароль",
        "पासवर्ड",
    ]
}
_SECRET_ENDS = ("password", "passwd", "passphrase", "token", "secret", "apikey")  # `dbpassword`
# These words beside one another.
_SECRET_PAIRS = frozenset(
    tuple(pair.split())
    for pair in [
        "api key",
        "access key",
        "private key",
        "secret key",
        "signing key",
        "encryption key",
        "master key",
        "account key",
        "shared key",
        "ssh key",
        "pgp key",
        "auth key",
        "service key",
        "recovery code",
        "recovery codes",
        "backup code",
        "backup codes",
        "verification code",
        "security code",
        "auth code",
        "pass phrase",
        "pass word",
        "mot passe",
        "seed phrase",
        "amz signature",
        "connection string",
        "session key",
        "connect sid",
        "database url",
        "web hook",
        "webhook url",
        "auth header",
        "proxy authorization",
        "security answer",
    ]
)
_SECRET_ALONE = frozenset(
    [
        "pass",
        "auth",
        "session",
        "sid",
        "pin",
        "pw",
        "key_material",
        "signature",
        "sig",
        "authorizationheader",
    ]
)

_PII: dict[str, str] = {}
for _kind, _names in {
    "EMAIL": "email emails emailaddress mailaddress correo correoelectronico courriel epost sahkoposti useremail"
             " contactemail recipientemail",
    "PHONE": "phone phones phonenumber telephone telefon telefono telefone telefoon mobile mobilenumber mobilephone"
             " cellphone cell msisdn fax faxnumber handy handynummer tel telno whatsapp puhelin celular movil"
             " numerodetelephone homephone workphone contactphone contactnumber",
    "CARD": "card cardnumber cardno creditcard creditcardnumber debitcard ccnumber ccnum pan cardpan kreditkarte"
            " tarjeta numerodetarjeta cartaodecredito",
    "IBAN": "iban ibannumber bankiban",
    "BANK_ACCOUNT": "accountnumber bankaccount bankaccountnumber routingnumber sortcode kontonummer accountno bic"
                    " clabe cbu",
    "NATIONAL_ID": "ssn socialsecurity socialsecuritynumber nationalid nationalidnumber nationalidentifier"
                   " nationalinsurance nino nhsnumber taxid taxidnumber taxpayerid tin itin sin tfn pesel bsn cpf"
                   " cnp dni nie nif rut curp rfc aadhaar codicefiscale steuerid steueridentifikationsnummer"
                   " personnummer personalnumber personalidnumber idnumber identitynumber idcard identitycard"
                   " passport passportnumber passportno driverlicense driverslicense driverlicence"
                   " drivinglicence licensenumber governmentid insuranceid healthid hetu egn rrn mynumber"
                   " fodselsnummer cprnumber cpr numerodesecuritesociale nir amka kennitala oib emso",
    "DOB": "dob dateofbirth birthdate birthday birthyear bornon born geburtsdatum geburtstag fechadenacimiento"
           " datedenaissance datadinascita datadenascimento geboortedatum fodelsedatum syntymaaika"
           " dataurodzenia dogumtarihi",
    "IP": "ip ipaddress ipaddr ipv4 ipv6 clientip remoteip remoteaddr remoteaddress sourceip srcip dstip userip peerip"
          " xforwardedfor xrealip clientaddress peeraddress",
    "PERSON": "firstname lastname fullname surname givenname familyname middlename maidenname customername"
              " contactname personname patientname employeename username displayname nickname cardholder"
              " cardholdername holdername accountholder nachname vorname nombre apellido apellidos nom prenom"
              " cognome sobrenome beneficiaryname recipientname sendername passengername guestname realname",
    "ADDRESS": "address streetaddress street postaladdress homeaddress mailingaddress billingaddress"
               " shippingaddress deliveryaddress addressline addressline1 addressline2 address1 address2 zip"
               " zipcode postcode postalcode plz adresse direccion indirizzo endereco anschrift strasse"
               " residence placeofbirth birthplace",
    "LOCATION": "latitude longitude lat lng lon latlng geolocation gps gpscoordinates coordinates",
}.items():  # fmt: skip
    _PII |= dict.fromkeys(_names.split(), _kind)

_PII |= {
    fold(word): kind
    for word, kind in {
        "телефон": "PHONE", "电话": "PHONE", "電話番号": "PHONE", "電話": "PHONE", "전화번호": "PHONE", "почта": "EMAIL",
        "фамилия": "PERSON", "имя": "PERSON", "姓名": "PERSON", "氏名": "PERSON", "이름": "PERSON", "адрес": "ADDRESS",
        "地址": "ADDRESS", "住所": "ADDRESS", "주소": "ADDRESS", "身份证": "NATIONAL_ID", "生年月日": "DOB", "출생": "DOB",
    }.items()
}  # fmt: skip

# A last word that makes the name one of a fact about it.
_ABOUT_LAST = frozenset(
    ["policy", "policies", "count", "counts", "used", "limit", "limits", "length", "len", "size", "type", "types", "kind", "kinds", "name", "names", "id", "ids", "expiry", "expires", "expired", "expiration", "at", "in", "ttl", "role", "roles", "required", "enabled", "disabled", "status", "state", "states", "strength", "min", "max", "uri", "endpoint", "endpoints", "rotation", "version", "updated", "changed", "created", "attempts", "usage", "budget", "total", "error", "errors", "hint", "field", "fields", "label", "labels", "file", "path", "format", "algorithm", "alg", "prefix", "age", "days", "hours", "minutes", "seconds", "ms", "scope", "scopes", "provider", "source", "valid", "present", "missing", "set", "exists", "latency", "cost", "price", "per", "rate", "remaining", "quota", "index", "column", "columns", "domain", "verified", "provided", "digest", "sha256", "url", "manager", "store", "vault", "rule", "rules", "mode", "flow", "method", "reset", "requested", "issued", "issuer", "audience", "refreshed", "revoked", "sent", "received", "hits"]
)  # fmt: skip
_ABOUT_FIRST = frozenset(
    [
        "has",
        "is",
        "max",
        "min",
        "num",
        "number",
        "count",
        "total",
        "requires",
        "required",
        "needs",
        "allow",
        "allows",
        "allowed",
        "with",
        "without",
        "no",
        "of",
        "n",
        "missing",
        "invalid",
        "valid",
        "input",
        "output",
        "cached",
        "prompt",
        "completion",
        "reasoning",
        "used",
        "cache",
        "remaining",
    ]
)
_STILL = frozenset({("token", "id"), ("dsn", "name"), ("session", "id"), ("cookie", "name")})

# Free text of models and tools, off unless an operator asks for it (OpenTelemetry: Opt-In).
_CONTENT = (
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.prompt",
    "gen_ai.completion", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.tool.input",
    "gen_ai.tool.output", "gen_ai.tool.definitions", "gen_ai.content.prompt", "gen_ai.content.completion",
    "gen_ai.event.content", "llm.prompts", "llm.completions", "llm.input_messages", "llm.output_messages",
    "llm.prompt_template.variables", "traceloop.entity.input", "traceloop.entity.output", "mcp.tool.arguments",
    "input.value", "output.value", "tool_input", "tool_output", "prompt", "completion", "prompts", "completions",
)  # fmt: skip
_CONTENT_EXACT = frozenset(_CONTENT)
_CONTENT_BELOW = tuple(f"{name}." for name in _CONTENT if "." in name)

_registered: dict[str, str] = {}


def register(field: str, pii: str) -> None:
    """Declare a field as the event catalogue does; every record's field of that name is then redacted.

    Args:
        pii: "none", "pseudonymous", "pii" or "secret", or a kind of marker ("EMAIL").
    """
    kind = {"secret": "SECRET", "pii": "PII", "none": "", "pseudonymous": ""}.get(pii, pii)
    _registered[_joined(words_of(field))] = kind
    rule.cache_clear()
    is_plain.cache_clear()


def register_all(fields: Iterable[tuple[str, str]]) -> None:
    """`register` for many (field, class) pairs."""
    for field, pii in fields:
        register(field, pii)


@lru_cache(maxsize=4096)
def words_of(key: str) -> tuple[str, ...]:
    """The words of a name: `X-Api-Key` -> (x, api, key)."""
    text = MARKER.sub(" x ", key[:LONGEST])
    if not text.isascii():
        text = fold(text)
    return tuple(word.lower() for word in _WORD.findall(text))


@lru_cache(maxsize=4096)
def rule(key: str) -> str:
    """The kind of what stands under a name: "SECRET", "EMAIL" …, "CONTENT", or "" when it says nothing."""
    words = words_of(key)
    if not words or len(key) > LONGEST:
        return ""
    lowered = key.lower()
    if lowered in _CONTENT_EXACT or lowered.startswith(_CONTENT_BELOW):
        return "CONTENT"
    joined = _joined(words)
    if joined in _registered:
        return _registered[joined]
    if kind := _secret(words, joined) or _personal(words, joined):
        return kind
    space, _, own = key.rpartition(".")  # `app.zip`: a namespace and a name
    return rule(own) if space and own else ""


@lru_cache(maxsize=4096)
def is_plain(key: str) -> bool:
    """Whether a name says nothing of its value, and holds nothing itself."""
    return (
        len(key) < 40 and key.isidentifier() and (len(key) < 16 or key.islower()) and not rule(key)
    )


@lru_cache(maxsize=4096)
def is_reference(key: str) -> bool:
    """Whether the name says that the value is an id or a digest: then an opaque value is no secret."""
    words = words_of(key)
    return bool(words) and words[-1] in _REFERENCES


_REFERENCES = frozenset(
    [
        "id",
        "ids",
        "uuid",
        "guid",
        "digest",
        "hash",
        "sha",
        "sha1",
        "sha256",
        "sha512",
        "md5",
        "checksum",
        "etag",
        "ref",
        "refs",
        "reference",
        "fingerprint",
        "commit",
        "revision",
        "manifest",
        "cursor",
        "traceparent",
        "trace",
        "span",
        "integrity",
        "nonce",
    ]
)


def _secret(words: tuple[str, ...], joined: str) -> str:
    if joined in _SECRET_ALONE:
        return "SECRET"
    hit = any(word in _SECRET_WORDS for word in words) or any(
        pair in _SECRET_PAIRS for pair in pairwise(words)
    )
    hit = hit or joined in _SECRET_WORDS or words[-1].endswith(_SECRET_ENDS)
    hit = hit or (len(words) > 1 and words[-1] in ("pass", "pw") and words[0] != "boarding")
    if not hit:
        return ""
    return "" if _about(words) else "SECRET"


def _about(words: tuple[str, ...]) -> bool:
    """`tokens_used`, `max_tokens`: not the secret but a fact about it."""
    if len(words) == 1:
        return words[0] == "tokens"
    if words[-1] == "url" and words[-2] in ("webhook", "database", "hook"):
        return False
    if words[-1] == "tokens" and words[0] not in ("access", "refresh", "auth", "api", "bearer"):
        return True
    return words[-1] in _ABOUT_LAST or words[0] in _ABOUT_FIRST


def _personal(words: tuple[str, ...], joined: str) -> str:
    if kind := _PII.get(joined):
        return kind
    if len(words) < 2 or words[0] in _ABOUT_FIRST:
        return ""
    for size in (4, 3, 2):  # `customerPhoneNumber`: the end of a name is what it is
        if size < len(words) and (kind := _PII.get("".join(words[-size:]))):
            return kind
    last = words[-1]
    return "" if last in _ABOUT_LAST or last in _TOO_SHORT else _PII.get(last, "")


# Alone they say it, as the last of several words they may mean anything.
_TOO_SHORT = frozenset(
    [
        "cell",
        "card",
        "pan",
        "zip",
        "lat",
        "lon",
        "tin",
        "sin",
        "rut",
        "nie",
        "nif",
        "nom",
        "born",
        "handy",
    ]
)


def _joined(words: tuple[str, ...]) -> str:
    return "".join(words)
