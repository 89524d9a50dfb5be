"""Lines as they really turn up, written by hand after the detectors were made; ‹…› marks what must go (OB-3).

None was taken from anywhere: names, hosts and numbers are of reserved ranges, keys are made up.
"""

from __future__ import annotations

import json
import re

import pytest

from aicp.telemetry.redaction import explain, redact

LEAKY = (
    "2026-11-23 09:00:01,123 ERROR [http-nio-8080-exec-3] c.a.LoginFilter - auth failed for user=‹kim@acme.example› ip=‹203.0.113.44›",
    '203.0.113.7 - kim [23/Nov/2026:09:00:00 +0000] "GET /reset?token=‹b7Gh29xKq01› HTTP/1.1" 302 12',
    'psql: error: connection to server at "db.example" (‹192.0.2.10›), port 5432 failed: FATAL: password authentication failed',
    "DATABASE_URL=postgres://‹app:Zx81_kk2›@db.example/app?sslmode=require",
    "export AWS_SECRET_ACCESS_KEY=‹wJalrXUtnFEMIK7MDENGbPxRfiCYzzMADEUPKEY›",
    "docker login -u ci -p ‹S3cr3tPw9› registry.example",
    "curl -H 'X-Api-Key: ‹9f8e7d6c5b4a39281706f5e4d3c2b1a0›' https://api.example/v1",
    'curl -H "Authorization: Token ‹0a1b2c3d4e5f60718293a4b5c6d7e8f901234567›" https://api.example',
    "git remote set-url origin https://‹x-access-token:ghs_16C7e42F292c6912E7710c838347Ae178B4a›@github.com/acme/app.git",
    "kubectl create secret generic db --from-literal=password=‹Nuts4321›",
    "helm upgrade app --set auth.password=‹Blue42!sky›,replicas=2",
    'ansible: {"changed": true, "cmd": "useradd kim", "password": "‹$6$rounds$abc›"}',
    "spring.datasource.password: ‹p4ssw0rd›",
    '  password: "‹correct horse battery›"',
    "smtp_pass = '‹mailMe77›'",
    "User 42 changed phone from ‹+44 7700 900123› to ‹+44 7700 900456›",
    "WhatsApp: ‹+1-202-555-0143›",
    "Call me on ‹(202) 555-0143› before noon",
    "fax ‹030 / 901820-15›",
    "SMS to ‹+49(0)1512 3456789› failed: 30007",
    "tel:‹+12025550143›",
    "Kunde geb. ‹03.02.1980›, Tel. ‹0151 23456789›",
    "Patient (DOB ‹02/03/1980›) admitted",
    "birthdate=‹1980-02-03›&x=1",
    "fecha de nacimiento ‹3 de febrero de 1980›",
    "charge 4242‹›declined: ‹4242-4242-4242-4242› exp 12/29",
    "PAN ‹5555 5555 5555 4444› CVV ‹123›",
    "card=‹378282246310005›;amount=10",
    '{\\"card\\":\\"‹4111111111111111›\\"}',
    "Überweisung an ‹DE89 3704 0044 0532 0130 00› (Miete)",
    "iban:‹GB82WEST12345698765432›,bic:DEUTDEFF",
    "virement vers ‹FR1420041010050500013M02606›",
    "SSN ‹078-05-1120› on file",
    "Social Security: ‹219 09 9999›",
    "DNI ‹12345678Z›",
    "NIE ‹X1234567L›",
    "codice fiscale: ‹RSSMRA85T10A562S›",
    "BSN ‹111222333›",
    "PESEL ‹44051401359›",
    "NINO ‹AB 12 34 56 C›",
    "CPF ‹111.444.777-35›",
    "aadhaar no ‹2341 2341 2346›",
    "身份证 ‹11010519491231002X›",
    "Set-Cookie: ‹sid=s%3Aj8Hk2LmN9pQ4rS7t; Path=/; HttpOnly›",
    "cookie: ‹session=eyJ1c2VyIjoxfQ.ZxY.abc123DEF456›",
    "jwt=‹eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.›",
    "Bearer‹›token: ‹abcDEF123456ghiJKL›",
    "slack: ‹xoxp-1234567890-1234567890-abcdefABCDEF›",
    "SENDGRID ‹SG.aaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb1›",
    "AccountName=acme;AccountKey=‹Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==›;EndpointSuffix=core.windows.net",
    "https://acme.blob.core.windows.net/c/f?sv=2022-11-02&se=2026-12-01&sig=‹abc%2Bdef%3D123ghi›",
    "https://s3.example/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=‹AKIAIOSFODNN7EXAMPLE%2F20261123›&X-Amz-Signature=‹aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899›",
    "callback ?code=‹4/0AX4XfWh9Kq2›&state=xyz",
    "magic link https://app.example/login#access_token=‹ya29.a0AfH6SMBx123456789›&expires_in=3600",
    '<soap:Password Type="x">‹hunter22›</soap:Password>',
    '<user email="‹kim@acme.example›" id="7"/>',
    "mailto:‹kim.cole@acme.example›?subject=Hi",
    "Kim Cole via Lists <‹lists@acme.example›> wrote:",
    'To: "Cole, Kim" <‹kim.cole@acme.example›>, ‹ana@example.org›',
    "‹kim(at)acme(dot)example›",
    "contact ‹kim at acme dot example› please",
    "peer ‹2001:db8::8a2e:370:7334› reset the connection",
    "X-Forwarded-For: ‹198.51.100.7›, ‹203.0.113.9›",
    "sshd[12]: Failed password for root from ‹198.51.100.23› port 51122 ssh2",
    "-----BEGIN OPENSSH PRIVATE KEY-----‹b3BlbnNzaC1rZXktdjEAAAAA›-----END OPENSSH PRIVATE KEY-----",
    "ENV: {'PATH': '/bin', 'API_TOKEN': '‹abc123secret›', 'HOME': '/root'}",
    "Namespace(user='x', password='‹h4x0r›', verbose=True)",
    "Config(token=‹tok_abc123XYZ789›, retries=3)",
    "KeyError: 'password' in {'password': '‹w0nderland›'}",
    "the new password for kim is ‹Purple-Monkey-7›",
    "Ihr Passwort lautet ‹Sommer2026!›",
    "votre mot de passe est ‹Soleil99!›",
    "otp ‹482913› sent",
    "your verification code: ‹482913›",
    "PIN: ‹4711›",
    "redis-cli -a ‹R3d1sPw› ping",
    "mysql -uroot -p‹hunter2x› app",
    "passphrase => ‹open-sesame-9›",
    "secret_key_base: ‹0d1f2e3c4b5a69788796a5b4c3d2e1f00d1f2e3c4b5a69788796a5b4c3d2e1f0›",
    "stripe key ‹rk_test_51AbCdEfGhIjKlMnOpQrStUv›",
    "https://hooks.slack.com/services/‹T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX›",
    "bot ‹123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1› started",
    "npm ERR! //registry.example/:_authToken=‹npm_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5›",
    "machine api.example login kim password ‹n3trcPw›",
)
CLEAN = (
    "GET /api/missions/m-7k3f9q2dxa?limit=50&offset=100 200 12ms",
    "worker 3 took job 1234567 after 250 ms (queue 12, attempt 1/5)",
    "password policy updated: min_length=12, symbols=true",
    "Password must contain at least 8 characters",
    "password reset requested; password changed; passwords do not match",
    "invalid token; token has expired; missing token; token refresh failed",
    "Unexpected token } in JSON at position 42",
    "tokens: 512 in, 128 out, 640 total",
    "tokenizer=cl100k max_tokens=4096",
    "secretary of state; secretariat; compass; passenger; passive",
    "auth: ok, auth=none, authentication method: password",
    "Basic auth is deprecated; use OAuth",
    "the cookie banner was accepted",
    "api key is required",
    "credentials are stored in the vault",
    "2026-11-23T09:00:00.123Z INFO started pid=12345 port=8700",
    "backup-20261123-090000.tar.gz 1,234,567,890 bytes",
    "sha256:4bf92f3577b34da6a3ce929d0e0e47364bf92f3577b34da6a3ce929d0e0e4736",
    "deploy v2026.11.23-1 to eu-central-1a (build 20261123.4)",
    "python 3.11.7, openssl 3.0.13, kernel 6.1.0-18-amd64",
    "127.0.0.1:54321 -> 127.0.0.1:8700",
    "PostgreSQL 15.18 on x86_64-pc-linux-gnu, 64-bit",
    'File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode',
    "at com.acme.billing.v2.InvoiceService.charge(InvoiceService.java:118)",
    "0x7f3a5c2d1e90 in ?? () from /lib/x86_64-linux-gnu/libc.so.6",
    "SELECT id, email FROM users WHERE id = $1",
    "index users_email_key violated",
    "rows 1-50 of 12,345 (0.41 %)",
    "lat 12 ms, p95 34.5 ms, p99 120.75 ms",
    "temperature 21.5, humidity 40",
    "Order #1000234567 shipped (2 of 3 parcels)",
    "ticket INC-0012345, change CHG0034567",
    "ISBN 978-3-16-148410-0",
    "cache hit ratio 0.98765 (98.77 %)",
    "epoch 1764061200, 1764061200123, 1764061200123456789",
    "uuid 123e4567-e89b-42d3-a456-426614174000",
    "span 00f067aa0ba902b7 of 4bf92f3577b34da6a3ce929d0e0e4736",
    "MIME application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "font-family: -apple-system, BlinkMacSystemFont, 'Segoe UI'",
    "commit 4bf92f3 (HEAD -> main, origin/main)",
    "s3://acme-backups/2026/11/23/part-00001-of-00010.parquet",
    "rate limited: 60 per minute, retry after 17 s",
    "Mission m-7k3f9q2dxa: 3 plays, best score 0.70, risk medium_low",
    "digest 0192d6da107dc915da53be6d4b72ddb7b57b4e9f812bbe4ba38bac1d855466e0",
    "born again shell; birth rate 1.5; dob field is empty",
    "telephone exchange closed; mobile app 5.2.1; fax machine",
    "10.5.3.2-beta is not an address; see 1.2.3",
    "window Tue-Thu 09:00-17:00, hold 900 s",
    "Ω≈ç√∫ 你好 привет żółć",
    "[EMAIL:3f9a0c21] was told, [SECRET:0011aabb] was not",
)


@pytest.mark.parametrize("line", LEAKY)
def test_what_is_marked_goes_and_the_rest_of_the_line_is_recognised(line: str) -> None:
    hidden = [part for part in re.findall("‹([^›]*)›", line) if part]
    text = re.sub("[‹›]", "", line)
    for told in (redact(text), json.dumps(redact({"message": text}), ensure_ascii=False)):
        assert [part for part in hidden if part in told] == []
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize("line", CLEAN)
def test_what_is_nothing_stays_to_the_letter(line: str) -> None:
    assert redact(line) == line
    assert explain({"message": line, "rows": [line]}) == []
