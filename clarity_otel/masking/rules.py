"""The rules of the masker, as data: what is masked, how it is known, an example of each.

This is the one source. The native masker's tables (`native/src/mask/table.rs`) and
docs/masking.md are written from it by `python -m clarity_otel.masking.generate`; the
Python twin reads it directly. Formats are those that the services document.

A rule is known by the key its value stands under (`keys`, `words`), by the shape of the
value (`patterns`, in the language of `patterns`), or by a finder in code, which
`finder` names.
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """One rule; its name stands in the replacement, `[masked:name]`."""

    name: str
    what: str
    keys: tuple[str, ...] = ()
    """Ends of a key, without separators and case: "apikey" is x-api-key and MY_API_KEY."""
    words: tuple[str, ...] = ()
    """The same, but the end has to be whole words: "pwd" is db_pwd and dbPwd, not "xpwd"."""
    value: str = "any"
    """What a value under the key must be: one of VALUE_CHECKS."""
    patterns: tuple[str, ...] = ()
    finder: str = ""
    on: bool = True
    examples: tuple[str, ...] = ()
    """Lines of which something is masked by this rule."""
    harmless: tuple[str, ...] = ()
    """Lines that look alike and stay as they are."""


# What a value under a key must be for the rule to count, and how far it reaches:
# anything ("any"), the rest of the line, an authentication scheme with what follows it,
# 3 to 12 characters with three digits, 3 or 4 digits, 9 digits, 15 and more letters and
# digits, 7 to 15 digits, 12 to 19 digits, 16 and more characters that look random.
VALUE_CHECKS = (
    "any", "line", "scheme", "code", "cvv", "nine", "long", "phone", "card", "opaque",
)

RULES: tuple[Rule, ...] = (
    Rule(
        "password",
        "passwords and passphrases, under a key that says so",
        keys=("password", "passwd", "passphrase", "passcode", "contrasena", "passwort"),
        words=("pwd", "pass", "pw", "psw", "userpwd", "dbpwd", "mnemonic", "seed phrase", "recovery phrase", "identified by"),
        examples=(
            '{"db_password": "hunter2!"}',
            "DB_PASSWORD=hunter2",
            "{'newPassword': 'corr3ct horse'}",
            r'{\"password\": \"hunter2\"}',
            "password%3Dhunter2%26next%3D1",
            "<password>hunter2</password>",
            "mysql --password hunter2",
        ),
        harmless=(
            "password reset requested",
            "Invalid password",
            "password: str",
            '{"password": null}',
            "password=***",
            "password = getpass.getpass()",
            "Invalid password: must be at least 8 characters",
        ),
    ),
    Rule(
        "secret",
        "secrets and credentials, under a key that says so",
        keys=("secret", "clientsecret", "secretkey", "secretvalue", "signingkey", "encryptionkey", "masterkey", "sharedkey", "credential", "credentials", "webhooksecret", "hmackey", "saltkey", "connectionstring"),
        words=("secrets", "totpseed", "creds"),
        examples=("client_secret=9f8e7d6c5b", '{"appSecret": "s3cr3t-value"}'),
        harmless=("secretary=Ann", "is_secret=True", "secret_name=prod/db"),
    ),
    Rule(
        "token",
        "access, refresh, id and other tokens, under a key that says so",
        keys=("token", "accesstoken", "refreshtoken", "idtoken", "authtoken", "authorizationcode", "authcode", "jwt"),
        words=("oauth", "bearer", "code verifier", "client assertion", "samlresponse"),
        examples=("access_token=ya.b2c4", '{"refreshToken": "8xLOxBtZp8"}', "?token=abc123&x=1"),
        harmless=("token = next(tokens)", "token_count=512", "max_tokens: 1000", "tokenizer=bert"),
    ),
    Rule(
        "api_key",
        "API keys, under a key that says so",
        keys=("apikey", "apisecret", "subscriptionkey", "accesskey", "authkey", "accountkey", "functionskey", "licensekey", "appkey", "applicationkey", "consumerkey", "integrationkey", "routingkey", "storagekey", "servicekey", "accesskeyid"),
        examples=("x-api-key: 7f3a9c", '{"apiKey": "k-19283"}'),
    ),
    Rule(
        "aws_secret",
        "AWS secret access keys, under a key that says so or beside an access key id",
        keys=("secretaccesskey", "awssecretkey", "awssecret"),
        examples=("aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",),
    ),
    Rule(
        "authorization",
        "the values of Authorization headers",
        keys=("authorization", "xauth", "httpauth", "authorisation"),
        value="scheme",
        examples=("Authorization: Basic dXNlcjpwYXNz", "{'authorization': 'Bearer abc.def'}"),
    ),
    Rule(
        "cookie",
        "the values of Cookie and Set-Cookie headers",
        keys=("cookie", "setcookie"),
        words=("cookies", "cookie2"),
        value="line",
        examples=("Cookie: sid=31d4d96e407aad42; theme=dark",),
    ),
    Rule(
        "session",
        "session ids",
        keys=("sessionid", "sessionkey", "jsessionid", "phpsessid", "sessid", "sessionhash", "connectsid", "aspnetsessionid"),
        examples=("JSESSIONID=9FAD3C2D1B", "session_id=38afes7a8"),
    ),
    Rule(
        "session_value",
        "other values called session or sid, where they are long and look random",
        words=("session", "sid", "sess", "ticket", "otpsecret", "nonce secret", "xsrf", "csrf"),
        value="opaque",
        examples=("session=eac0c2b2f5ae4d38b2c0a1",),
        harmless=("session=closed", "sid=ORCL"),
    ),
    Rule(
        "signature",
        "signatures that grant access, in signed URLs",
        keys=("xamzsignature", "xgoogsignature", "xamzcredential", "xgoogcredential", "awsaccesskeyid", "hmacsignature", "webhooksignature", ),
        words=("sig", "signature", "hubsignature"),
        value="opaque",
        examples=("?sv=2020&sig=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2Q%3D",),
    ),
    Rule(
        "private_key",
        "private keys: under a key that says so, and PEM blocks, also cut ones",
        keys=("privatekey", "sshkey", "pemkey", "sslkey", "tlskey", "secretpem", "privkey", "deploykey"),
        finder="pem",
        examples=(
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75\n-----END RSA PRIVATE KEY-----",
            r"key=-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n",
        ),
        harmless=("-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIE\n-----END CERTIFICATE-----",),
    ),
    Rule(
        "pin",
        "PINs and one-time codes of 3 to 10 characters, under a key that says so",
        words=("pin", "pin code", "otp", "otp code", "totp", "mfa code", "two factor code", "2fa code", "2fa", "verification code", "security answer", "one time password", "backup code", "recovery code", "sms code", "auth pin", "card pin"),
        value="code",
        examples=("pin=4921", '{"otp_code": "482913"}'),
        harmless=("pin: yes", "otp=enabled"),
    ),
    Rule(
        "cvv",
        "card verification values: 3 or 4 digits, under a key that says so",
        words=("cvv", "cvc", "cvv2", "cvc2", "csc", "cvv code", "cvc code", "card code", "security code", "card security code", "card verification value", "card verification code"),
        value="cvv",
        examples=("cvv=123", '{"cvc": 4321}'),
    ),
    Rule(
        "card",
        "payment card numbers: a known issuer's range and length, and the Luhn check",
        keys=("cardnumber", "creditcard", "debitcard", "creditcardnumber", "cardno", "ccnumber", "ccnum", "cardnum"),
        words=("pan",),
        value="card",
        finder="numbers",
        examples=("paid with 4111 1111 1111 1111", "card=5500-0000-0000-0004"),
        harmless=("order 4111111111111112", "trace 41111111111111111111111111111111"),
    ),
    Rule(
        "ssn",
        "US social security numbers, by the rules of their groups",
        keys=("ssn", "socialsecuritynumber", "socialsecurity", "taxpayerid", "ssnnumber"),
        words=("social security no", "tax id", "tin"),
        value="nine",
        finder="numbers",
        examples=("ssn 219-09-9998",),
        harmless=("part 000-12-3456", "part 666-12-3456", "range 900-12-3456"),
    ),
    Rule(
        "iban",
        "IBANs: country, its length, and the checksum",
        words=("iban",),
        value="long",
        finder="iban",
        examples=("to DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"),
        harmless=("GB82WEST12345698765433",),
    ),
    Rule(
        "email",
        "e-mail addresses",
        finder="at",
        examples=("mail to ann.lee@example.com", "user=bob%40example.org"),
        harmless=("git@github.com:org/repo.git", "react@18.2.0", "@app.get", "logo@2x.png"),
    ),
    Rule(
        "phone",
        "phone numbers: international with +, and North American ones, by their number plans",
        words=("phone", "phone number", "phone no", "telephone", "mobile", "mobile number", "msisdn", "cell", "cell phone", "fax", "tel", "phone home", "home phone", "work phone"),
        value="phone",
        finder="numbers",
        examples=("call +44 20 7946 0958", "(415) 555-2671", "tel: 415-555-2671"),
        harmless=("+1 to that", "offset +0530", "version 415.1.2671"),
    ),
    Rule(
        "url_password",
        "the password in user:password@host",
        finder="at",
        examples=("postgres://shop:s3cret@db:5432/shop", "redis://:p4ss@cache:6379/0"),
        harmless=("http://localhost:8000/a@b", "ssh://git@github.com/org/repo"),
    ),
    Rule(
        "jwt",
        "JSON Web Tokens",
        patterns=(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{8,}[A-Za-z0-9_.-]*",),
        examples=("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP",),
        harmless=("cursor eyJpZCI6MTIzfQ",),
    ),
    Rule(
        "bearer",
        "the token after Bearer",
        finder="scheme",
        examples=("sent Bearer mF_9.B5f-4.1JqM",),
        harmless=("Bearer token missing", "bearer authentication"),
    ),
    Rule(
        "basic",
        "the credentials after Basic",
        finder="scheme",
        examples=("sent Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",),
        harmless=("Basic authentication failed", "Basic subscription"),
    ),
    Rule(
        "digest",
        "the credentials after Digest",
        finder="scheme",
        examples=('sent Digest username="ann", realm="x", response="6629fae49393a053"',),
        harmless=("Digest mismatch", "Digest sha256:abc"),
    ),
    Rule(
        "aws_key",
        "AWS access key ids and session tokens",
        patterns=(
            *(f"{kind}[A-Z2-7]{{16}}" for kind in ("AKIA", "ASIA", "ABIA", "ACCA")),
            *(f"{kind}[A-Z0-9]{{16}}" for kind in ("AKIA", "ASIA")),
            "FwoGZXIvYXdz[A-Za-z0-9+/=]{40,2048}",
            "IQoJb3JpZ2lu[A-Za-z0-9+/=]{40,2048}",
        ),
        examples=("id AKIAIOSFODNN7EXAMPLE",),
        harmless=("AKIAIOSFODNN7", "XAKIAIOSFODNN7EXAMPLE"),
    ),
    Rule(
        "github",
        "GitHub tokens",
        patterns=(
            *(f"gh{kind}_[A-Za-z0-9]{{36,255}}" for kind in "pousr"),
            "github_pat_[A-Za-z0-9_]{22,255}",
        ),
        examples=("ghp_16C7e42F292c6912E7710c838347Ae178B4a",),
    ),
    Rule(
        "gitlab",
        "GitLab tokens",
        patterns=tuple(
            f"{kind}-[A-Za-z0-9_.-]{{20,300}}"
            for kind in ("glpat", "gldt", "glrt", "glcbt", "glptt", "glft", "glsoat", "glimt", "glagent", "gloas", "glffct", "glwt")
        ),
        examples=("glpat-x7Yk2Jd93nQwLmZ81abc",),
    ),
    Rule(
        "slack",
        "Slack tokens and webhook addresses",
        patterns=(
            *(f"xox{kind}-[A-Za-z0-9-]{{10,255}}" for kind in "abdeoprs"),
            "xoxe.xox[bp]-[A-Za-z0-9-]{10,255}".replace("xoxe.", "xoxe\\."),
            "xapp-[A-Za-z0-9-]{20,255}",
            "xwfp-[A-Za-z0-9-]{20,255}",
            r"hooks\.slack\.com/services/[A-Za-z0-9_]{6,20}/[A-Za-z0-9_]{6,20}/[A-Za-z0-9_]{16,40}",
            r"hooks\.slack\.com/workflows/[A-Za-z0-9_]{6,20}/[A-Za-z0-9_]{6,20}/[A-Za-z0-9_/]{16,60}",
        ),
        # Split, so that secret scanners of code hosts do not take it for a real one.
        examples=("xoxb-" + "2048290482-2048293875-x7Yk2Jd93nQwLmZ81abc",),
    ),
    Rule(
        "stripe",
        "Stripe secret and restricted keys, and webhook secrets",
        patterns=(
            *(f"{kind}_{mode}_[A-Za-z0-9]{{10,255}}" for kind in ("sk", "rk") for mode in ("live", "test", "prod")),
            "whsec_[A-Za-z0-9+/=]{16,255}",
        ),
        examples=("sk_" + "test_4eC39HqLyjWDarjtT1zdp7dc",),
        harmless=("pk_live is the publishable key",),
    ),
    Rule(
        "google",
        "Google API keys and OAuth tokens and secrets",
        patterns=(
            "AIza[A-Za-z0-9_-]{35}",
            r"ya29\.[A-Za-z0-9_.-]{20,2048}",
            "GOCSPX-[A-Za-z0-9_-]{20,64}",
            "1//0[A-Za-z0-9_-]{30,255}",
            r"4/0[A-Za-z0-9_-]{30,255}",
        ),
        examples=("AIza" + "SyD4x7Yk2Jd93nQwLmZ81abcD4x7Yk2Jd93",),
    ),
    Rule(
        "llm_key",
        "keys of OpenAI, Anthropic and similar services",
        patterns=(
            "sk-ant-[A-Za-z0-9_-]{20,255}",
            "sk-proj-[A-Za-z0-9_-]{20,255}",
            "sk-svcacct-[A-Za-z0-9_-]{20,255}",
            "sk-admin-[A-Za-z0-9_-]{20,255}",
            "sk-or-v1-[A-Za-z0-9]{32,255}",
            "sk-None-[A-Za-z0-9_-]{20,255}",
            "sk-[A-Za-z0-9]{20,255}",
            "gsk_[A-Za-z0-9]{32,255}",
            "hf_[A-Za-z0-9]{30,64}",
            "xai-[A-Za-z0-9]{40,128}",
            "pplx-[A-Za-z0-9]{32,128}",
            "r8_[A-Za-z0-9]{30,64}",
            "nvapi-[A-Za-z0-9_-]{40,128}",
            "sess-[A-Za-z0-9]{40}",
        ),
        examples=("sk-" + "proj-x7Yk2Jd93nQwLmZ81abcD4x7",),
        harmless=("sk-learn and sk-proj-x",),
    ),
    Rule("npm", "npm tokens", patterns=("npm_[A-Za-z0-9]{36,255}",), examples=("npm_x7Yk2Jd93nQwLmZ81abcD4x7Yk2Jd93nQwLm",)),
    Rule("pypi", "PyPI tokens", patterns=("pypi-[A-Za-z0-9_-]{32,512}",), examples=("pypi-AgEIcHlwaS5vcmcCJDNlZDk4YTM1LTkyNmYtNDg",)),
    Rule(
        "sendgrid",
        "SendGrid keys",
        patterns=(r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}",),
        examples=("SG." + "x7Yk2Jd93nQwLmZ81abcDe.D4x7Yk2Jd93nQwLmZ81abcD4x7Yk2Jd93nQwLmZ81ab",),
    ),
    Rule(
        "twilio",
        "Twilio API keys (SK…) and their like",
        patterns=("SK[0-9a-f]{32}",),
        examples=("SK" + "0123456789abcdef0123456789abcde0",),
    ),
    Rule(
        "vendor_token",
        "tokens of other services that are known by their first characters",
        patterns=(
            *(f"do{kind}_v1_[a-f0-9]{{64}}" for kind in "por"),
            *(f"shp{kind}_[A-Fa-f0-9]{{32}}" for kind in ("at", "ss", "ca", "pa")),
            "sq0atp-[A-Za-z0-9_-]{22}",
            "sq0csp-[A-Za-z0-9_-]{43}",
            "EAAA[A-Za-z0-9_-]{60}",
            "EAACEdEose0cBA[A-Za-z0-9]{20,255}",
            "dckr_pat_[A-Za-z0-9_-]{20,64}",
            "dckr_oat_[A-Za-z0-9_-]{20,64}",
            "lin_api_[A-Za-z0-9]{32,64}",
            "ntn_[A-Za-z0-9]{40,64}",
            "secret_[A-Za-z0-9]{43}",
            "figd_[A-Za-z0-9_-]{30,64}",
            "sntrys_[A-Za-z0-9+/=_-]{40,300}",
            "sntryu_[a-f0-9]{64}",
            r"hvs\.[A-Za-z0-9_-]{20,300}",
            r"hvb\.[A-Za-z0-9_-]{20,300}",
            r"hvr\.[A-Za-z0-9_-]{20,300}",
            "glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}",
            "glc_[A-Za-z0-9+/=]{32,400}",
            "dapi[a-f0-9]{32}",
            "PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
            "rubygems_[a-f0-9]{48}",
            "AGE-SECRET-KEY-1[A-Z0-9]{58}",
            "ATATT3[A-Za-z0-9_=-]{60,300}",
            "ATCTT3[A-Za-z0-9_=-]{60,300}",
            "ATBB[A-Za-z0-9]{32}",
            "LTAI[A-Za-z0-9]{16,20}",
            "AKID[A-Za-z0-9]{32}",
            r"dp\.pt\.[A-Za-z0-9]{40,44}",
            r"dp\.st\.[A-Za-z0-9_.-]{40,64}",
            "sbp_[a-f0-9]{40}",
            "key-[a-f0-9]{32}",
            "xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}",
            "NRAK-[A-Z0-9]{27}",
            "NRJS-[a-f0-9]{19}",
            "pscale_tkn_[A-Za-z0-9_.-]{32,64}",
            "pscale_pw_[A-Za-z0-9_.-]{32,64}",
            "pscale_oauth_[A-Za-z0-9_.-]{32,64}",
            "phc_[A-Za-z0-9]{43}",
            "phx_[A-Za-z0-9]{43}",
            "tfp_[A-Za-z0-9_]{30,64}",
            "ops_eyJ[A-Za-z0-9+/=]{100,2048}",
            "A3-[A-Z0-9]{6}-[A-Z0-9]{11}-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}",
            "fo1_[A-Za-z0-9_-]{43}",
            "fm2_[A-Za-z0-9+/=]{50,2048}",
            "cfut_[A-Za-z0-9_-]{30,64}",
            "patgen[A-Za-z0-9]{40}",
            "dt0c01\\.[A-Z0-9]{24}\\.[A-Z0-9]{64}",
            "t1\\.[A-Z0-9a-z_-]{80,300}",
            "AQVN[A-Za-z0-9_-]{35,38}",
            "access_token\\$production\\$[0-9a-z]{16}\\$[0-9a-f]{32}",
            r"discord\.com/api/webhooks/[0-9]{15,22}/[A-Za-z0-9_-]{40,100}",
            r"discordapp\.com/api/webhooks/[0-9]{15,22}/[A-Za-z0-9_-]{40,100}",
            "bot[0-9]{8,10}:[A-Za-z0-9_-]{35}",
        ),
        finder="inner",
        examples=("hvs." + "x7Yk2Jd93nQwLmZ81abcD4x7",),
    ),
    Rule(
        "ip",
        "IPv4 and IPv6 addresses; off until asked for",
        finder="ip",
        on=False,
        examples=("from 203.0.113.7", "from 2001:db8::8a2e:370:7334"),
        harmless=("version 1.2.3.4.5", "12:30:45"),
    ),
)

# Keys that end like a secret's and hold none, without separators and case.
HARMLESS_KEYS: tuple[str, ...] = (
    "nexttoken", "nextpagetoken", "pagetoken", "prevpagetoken", "previoustoken", "continuationtoken",
    "paginationtoken", "cursortoken", "synctoken", "nextsynctoken", "padtoken", "eostoken", "bostoken",
    "unktoken", "septoken", "clstoken", "masktoken", "specialtoken", "pertoken", "lasttoken", "firsttoken",
    "currenttoken", "stoptoken", "inputtoken", "outputtoken", "hastoken", "hassecret", "haspassword",
    "ispassword", "issecret", "istoken", "usepassword", "usetoken", "unexpectedtoken", "invalidtoken",
    "requirepassword", "requiretoken", "publickey", "primarykey", "foreignkey", "sortkey", "partitionkey",
    "ifsecret", "nopassword", "notoken", "badtoken", "syntaxtoken", "acceptcookie", "usecookie", "hascookie",
    "showpassword", "forgotpassword", "resetpassword", "verifypassword", "checkpassword", "changepassword",
    "wrongpassword", "invalidpassword", "missingtoken", "expiredtoken", "missingpassword", "emptypassword",
    "verifytoken", "validatetoken", "gettoken", "parsetoken",
)

# Ends that do not change what a key holds: new_password_confirm, token_b64.
QUALIFIERS: tuple[str, ...] = (
    "value", "confirm", "confirmation", "again", "repeat", "verify", "hash", "hashed", "digest", "plain",
    "raw", "text", "encoded", "b64", "base64", "encrypted", "current", "old", "new", "string", "str", "env",
)

# Quoted values under a secret's key that hold no secret, lower case.
HARMLESS_QUOTED: tuple[str, ...] = (
    "true", "false", "null", "none", "nil", "undefined", "n/a", "string", "str", "redacted", "masked",
    "hidden", "filtered", "required", "missing", "invalid", "expired", "optional", "unset", "empty",
)

# What code calls the things it takes values from: `token = request.headers[...]`.
CODE_ROOTS: tuple[str, ...] = (
    "self", "cls", "this", "os", "settings", "config", "conf", "cfg", "request", "req", "args", "kwargs",
    "env", "environ", "process", "app", "options", "opts", "params", "data", "user", "form", "body",
    "payload", "response", "session", "ctx", "context", "secrets", "vault", "var", "local", "module",
)

# Words before a number that make it a phone number, a social security number.
PHONE_WORDS: tuple[str, ...] = ("phone", "call", "tel", "mobile", "cell", "fax", "sms", "whatsapp", "contact", "dial")
SSN_WORDS: tuple[str, ...] = ("ssn", "social")

# Words after which credentials stand in headers.
SCHEMES: tuple[str, ...] = (
    "bearer", "basic", "digest", "token", "apikey", "negotiate", "ntlm", "hawk", "oauth", "dpop",
    "aws4-hmac-sha256", "key", "hmac", "signature",
)

# The first words after "key: " or "key=" that show it is prose or code, lower case.
HARMLESS_VALUES: tuple[str, ...] = (
    "true", "false", "yes", "no", "none", "null", "nil", "undefined", "nan", "n/a", "na", "empty", "unset",
    "str", "string", "int", "integer", "bool", "boolean", "bytes", "float", "number", "text", "any", "object",
    "optional", "secretstr", "required", "missing", "invalid", "expired", "incorrect", "wrong", "revoked",
    "must", "is", "are", "was", "has", "have", "should", "shall", "can", "cannot", "can't", "may", "will",
    "does", "do", "did", "not", "the", "a", "an", "this", "that", "it", "too", "at", "in", "of", "for", "to", "and",
    "or", "with", "without", "from", "by", "on", "as", "if", "when", "please", "see", "use", "using", "need",
    "needs", "field", "value", "reset", "changed", "updated", "rotated", "rotation", "refresh", "refreshed",
    "disabled", "enabled", "failed", "failure", "ok", "success", "valid", "verified", "unknown", "mismatch",
    "denied", "granted", "redacted", "[redacted]", "<redacted>", "masked", "hidden", "filtered", "[filtered]",
    "removed", "omitted", "default", "self", "token", "password", "secret", "key", "present", "absent", "set",
    "not_set", "notset", "sent", "received", "generated", "created", "deleted", "stored", "found", "length",
    "bearer", "basic", "option", "flag", "argument", "parameter", "header", "expected", "unexpected", "got",
    "minimum", "maximum", "only", "new", "old", "no_change", "unchanged", "active", "inactive", "contains",
    "authentication", "policy", "strength", "weak", "strong", "medium", "unauthorized", "forbidden", "...",
)
