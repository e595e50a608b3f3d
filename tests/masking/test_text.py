"""Where values end, how deep quotes go, and what stays around them."""

from __future__ import annotations

from types import ModuleType

import pytest

P, T = "[masked:password]", "[masked:token]"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"password": "a\\"b", "n": 1}', '{"password": "' + P + '", "n": 1}'),
        (r'"{\"password\": \"a\\\"b\", \"n\": 1}"', r'"{\"password\": \"' + P + r'\", \"n\": 1}"'),
        (
            r'"{\\\"password\\\": \\\"ab1\\\", \\\"n\\\": 1}"',
            r'"{\\\"password\\\": \\\"' + P + r'\\\", \\\"n\\\": 1}"',
        ),
        (
            repr(b'{"password": "it\'s a \\"quoted\\" x", "n": 1}'),
            'b\'{"password": "' + P + '", "n": 1}\'',
        ),
        ('{"password": "ends so\\\\", "n": 1}', '{"password": "' + P + '", "n": 1}'),
        ('{"password": "cut off', '{"password": "' + P),
        ("{'password': 'it is', 'n': 1}", "{'password': '" + P + "', 'n': 1}"),
        ("password=abc&next=1", f"password={P}&next=1"),
        ("GET http://shop.example password: abc", f"GET http://shop.example password: {P}"),
        (f"//{'é' * 27} password: abc", f"//{'é' * 27} password: {P}"),
        ("password=a&b1 next=1", f"password={P} next=1"),
        ("(password=abc, n=1)", f"(password={P}, n=1)"),
        ("password=abc; n=1", f"password={P}; n=1"),
        ("password=abc\nn=1", f"password={P}\nn=1"),
        (r"password=abc\nn=1", rf"password={P}\nn=1"),
        ("password%3Dabc%26n%3D1", f"password%3D{P}%26n%3D1"),
        ("%22password%22%3A%22abc%22%7D", f"%22password%22%3A%22{P}%22%7D"),
        ("{&quot;password&quot;:&quot;abc&quot;}", f"{{&quot;password&quot;:&quot;{P}&quot;}}"),
        ("user[password]=abc&user[name]=x", f"user[password]={P}&user[name]=x"),
        ("user%5Bpassword%5D=abc&x=1", f"user%5Bpassword%5D={P}&x=1"),
        ('config["db_password"] = "abc"', f'config["db_password"] = "{P}"'),
        ("(b'x-auth-token', b'abc-123')", f"(b'x-auth-token', b'{T}')"),
        ('{"name": "DB_PW", "value": "abc"}', '{"name": "DB_PW", "value": "' + P + '"}'),
        ("Server=db;Password=abc;Database=x", f"Server=db;Password={P};Database=x"),
        ("password=['ab', 'cd'] n=1", f"password=['{P}'] n=1"),
        ("password=('ab',) n=1", f"password=('{P}',) n=1"),
        ("{'password': ('ab', 'cd'), 'n': 1}", "{'password': ('" + P + "'), 'n': 1}"),
        ("{'password': {'ab', 'cd'}, 'n': 1}", "{'password': {'" + P + "'}, 'n': 1}"),
        ("PASSWORDS = [\n    'ab',\n    'cd',\n]", f"PASSWORDS = [\n    '{P}',\n]"),
        ('{"token": ["a]b", "cd"], "n": 1}', '{"token": ["' + T + '"], "n": 1}'),
        ("password:\n    ab12cd\nn: 1", f"password:\n    {P}\nn: 1"),
        ("password: |\n    ab12cd\nn: 1", f"password: |\n    {P}\nn: 1"),
        ("password[]=abc&n[]=1", f"password[]={P}&n[]=1"),
        ("password%5B%5D=abc&n=1", f"password%5B%5D={P}&n=1"),
        (r"x\u0026password\u003dabc\u0026n=1", rf"x\u0026password\u003d{P}\u0026n=1"),
        (r"{\u0022password\u0022:\u0022abc\u0022}", rf"{{\u0022password\u0022:\u0022{P}\u0022}}"),
        (r"{\x22password\x22:\x22abc\x22}", rf"{{\x22password\x22:\x22{P}\x22}}"),
        ("%22password%22%20%3A%20%22abc%22", f"%22password%22%20%3A%20%22{P}%22"),
        ('[\n  "token",\n  "ab12cd"\n]', '[\n  "token",\n  "' + T + '"\n]'),
        ("Mot de passe\xa0: abc", f"Mot de passe\xa0: {P}"),
        ("ALTER ROLE ann SET password TO 'abc'", f"ALTER ROLE ann SET password TO '{P}'"),
        ("get(url, auth=('ann', 'abc'))", "get(url, auth=('ann', '[masked:basic]'))"),
        (
            '{"secret": {"user": "ann", "value": "ab12cd", "at": "2026-02-11T14:00:00Z"}}',
            '{"secret": {"user": "ann", "value": "[masked:secret]", "at": "2026-02-11T14:00:00Z"}}',
        ),
        ('{"creds": {"password": "ab12cd"}}', '{"creds": {"password": "' + P + '"}}'),
    ],
)  # fmt: skip
def test_a_value_ends_where_it_ends(masker: ModuleType, text: str, masked: str) -> None:
    """What stands around a masked value stays."""
    assert masker.mask_text(text) == masked


@pytest.mark.parametrize(
    "key",
    [
        "пароль", "Пароль", "ПАРОЛЬ", "CONTRASEÑA", "كلمة المرور", "पासवर्ड",
        "password", "Password", "DB_PASSWORD", "db-password", "dbPassword", "dbpassword",
        "spring.datasource.password", "new_password1", "passwordConfirm", "password_hash",
        "x-api-key", "API key", "apiKey", "clientSecret", "refresh_token", "XSRF-TOKEN",
        "aws_secret_access_key", "privateKey", "sessionId", "Proxy-Authorization",
    ],
)  # fmt: skip
def test_keys_are_known_in_every_spelling(masker: ModuleType, key: str) -> None:
    """Snake, kebab, camel and dotted case, with words before and numbers after."""
    assert "[masked:" in masker.mask_text(f"{key}: q7-Zk2")
    assert masker.mask_value(key, "q7-Zk2").startswith("[masked:")


@pytest.mark.parametrize(
    "text",
    [
        "token = next(tokens)", "password: str", "token: Optional[str] = None",
        "password=password", "password = new_password", "secret=os.environ['X']",
        "token=settings.TOKEN", "password=${DB_PASSWORD}", "password: {{ vault.pw }}",
        "password=%(password)s", "password=<redacted>", "password=[masked:password]",
        '{"password": null, "token": "", "secret": "***"}', "token_count=512",
        "max_tokens: 1000", "tokenizer=bert", "token_type=bearer", "secret_name=prod/db",
        "password reset requested", "Invalid password", "the password is wrong",
        "id 9f8b7c6d-1234-4e5f-8a9b-0c1d2e3f4a5b",
        "commit 3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a",
        "at 1700000000 took 0.4111111111111111", "2026-02-11T08:14:02.118+02:00",
        "10.0.0.1:5432", "v1.2.3-rc.4", "price 1299.00", "order 20260211-000123",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_secret_stays(masker: ModuleType, text: str) -> None:
    """The same object comes back."""
    assert masker.mask_text(text) is text


def test_masked_text_is_not_masked_again(masker: ModuleType) -> None:
    """A log line may pass the masker twice: in its parts and as a whole."""
    once = masker.mask_text("password=abc for ann@example.com, Cookie: a=1; b=2")
    assert masker.mask_text(once) == once


def test_a_long_text_is_cut_and_says_so(masker: ModuleType) -> None:
    """What was not looked at does not go out."""
    masker.mask_configure(limit=20)
    assert masker.mask_text("x" * 20) == "x" * 20
    masked = masker.mask_text("x" * 20 + " password=abc")
    assert masked == "x" * 20 + "[cut: 13 characters not looked at]"


def test_lone_surrogates_are_no_obstacle(masker: ModuleType) -> None:
    """Text that is not UTF-8 is masked all the same."""
    text = "\udcff plain"
    assert masker.mask_text(text) is text
    assert "abc1" not in masker.mask_text("\udcff password=abc1")


def test_what_cannot_be_masked_does_not_pass(masker: ModuleType) -> None:
    """A failure is the failure's text, and is counted."""
    before = masker.mask_counts().get("failed", 0)
    masker.mask_configure(broken=True)
    assert masker.mask_text("password=abc") == "[masking failed]"
    masked = masker.mask_value(None, {"a": ["abc", 1]})
    assert masked == {"[masking failed]": ["[masking failed]", 1]}
    assert masker.mask_counts()["failed"] == before + 3


class Unprintable:
    """An object whose text cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no text")


def test_an_object_without_a_text_does_not_pass(masker: ModuleType) -> None:
    """Its error is ours to hold back."""
    assert masker.mask_value("password", Unprintable()) == "[masking failed]"
    assert masker.mask_text(Unprintable()) == "[masking failed]"


COLOURED = "\x1b[36mpassword\x1b[0m=\x1b[35mhunter2!\x1b[0m"


def test_colours_hide_nothing(masker: ModuleType) -> None:
    """Renderers for terminals colour name and value: where something is masked, colours go."""
    assert masker.mask_text(COLOURED) == "password=[masked:password]"
    assert masker.mask_text(f"\x1b[1;38:5:2m{COLOURED} é") == "password=[masked:password] é"
    plain = "\x1b[31morder\x1b[0m=7"
    assert masker.mask_text(plain) is plain
    assert masker.mask_value("note", COLOURED) == "password=[masked:password]"
    code = '\x1b[1mf\x1b[0m(password=\x1b[33m"\x1b[0m\x1b[33mhunter2!\x1b[0m\x1b[33m"\x1b[0m)'
    assert masker.mask_text(code) == 'f(password="[masked:password]")'
    text = "\x1b[2Kpassword=hunter2! \x1b["
    assert masker.mask_text(text) == "\x1b[2Kpassword=[masked:password] \x1b["
