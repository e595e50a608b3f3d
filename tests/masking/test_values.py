"""Structured values: masked inside, with their type and shape."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from types import ModuleType
from typing import Any

Pair = namedtuple("Pair", "user password")


def test_a_clean_value_is_the_same_object(masker: ModuleType) -> None:
    """Nothing is copied where nothing is found."""
    value = {"a": [1, 2.5, None, True, "x"], "b": ({"c": b"d"},), "s": {1, 2}}
    assert masker.mask_value(None, value) is value


def test_values_under_secret_keys_are_masked(masker: ModuleType) -> None:
    """Lists below a secret's key are masked item by item; the rest stays as it was."""
    value = {
        "user": "ann",
        "dbPassword": "hunter2",
        "tokens_seen": 3,
        "nested": [{"api_key": "k-1", "port": 5432}],
        "token": ["a1", "b2"],
        "pin": 4921,
        "secret": None,
        "is_secret": True,
    }
    before = {**value, "nested": [dict(value["nested"][0])]}  # type: ignore[index, call-overload]
    masked = masker.mask_value(None, value)
    assert masked == {
        "user": "ann",
        "dbPassword": "[masked:password]",
        "tokens_seen": 3,
        "nested": [{"api_key": "[masked:api_key]", "port": 5432}],
        "token": ["[masked:token]", "[masked:token]"],
        "pin": "[masked:pin]",
        "secret": None,
        "is_secret": True,
    }
    assert value == before, "the app's own value is never changed"


def test_types_are_kept(masker: ModuleType) -> None:
    """A tuple stays a tuple, bytes stay bytes, a named tuple its class."""
    mail = "ann@example.com"
    clean = "[masked:email]"
    assert masker.mask_value(None, (mail, 1)) == (clean, 1)
    assert masker.mask_value(None, [mail]) == [clean]
    assert masker.mask_value(None, {mail}) == {clean}
    assert masker.mask_value(None, frozenset([mail])) == frozenset([clean])
    assert masker.mask_value(None, mail.encode()) == clean.encode()
    assert masker.mask_value(None, bytearray(mail.encode())) == bytearray(clean.encode())
    assert masker.mask_value(None, Pair(mail, None)) == Pair(clean, None)
    assert masker.mask_value(None, OrderedDict(a=mail)) == {"a": clean}


def test_keys_hold_secrets_too(masker: ModuleType) -> None:
    """A mapping by e-mail address is masked in its keys."""
    assert masker.mask_value(None, {"ann@example.com": 1}) == {"[masked:email]": 1}


def test_headers_of_asgi_are_masked(masker: ModuleType) -> None:
    """Pairs of bytes: the first is the key of the second."""
    headers = [(b"host", b"shop"), (b"authorization", b"Bearer abc"), (b"cookie", b"a=b")]
    assert masker.mask_value(None, headers) == [
        (b"host", b"shop"),
        (b"authorization", b"[masked:authorization]"),
        (b"cookie", b"[masked:cookie]"),
    ]


def test_a_named_tuples_fields_are_keys(masker: ModuleType) -> None:
    """What stands under a secret's name is masked, as in a dict."""
    assert masker.mask_value(None, Pair("ann", "hunter2")) == Pair("ann", "[masked:password]")


def test_a_name_and_its_password_under_auth(masker: ModuleType) -> None:
    """`auth=(user, password)`, as requests and httpx take it; a list may be one of names."""
    value = {"auth": ("ann", "hunter2")}
    assert masker.mask_value(None, value) == {"auth": ("ann", "[masked:password]")}
    assert masker.mask_value("auth", ["ann", "hunter2"]) == ["ann", "[masked:password]"]
    assert masker.mask_value("auth", ["read", "write"]) == ["read", "write"]


def test_what_looks_like_a_secret_below_one_is_masked(masker: ModuleType) -> None:
    """A dict that is called a secret: its own keys count, then the look of its values."""
    value = {"secrets": {"user": "ann", "stripe": "ab12cd", "db": {"x": "cd34ef"}, "n": 12345678}}
    assert masker.mask_value(None, value) == {
        "secrets": {
            "user": "ann",
            "stripe": "[masked:secret]",
            "db": {"x": "[masked:secret]"},
            "n": 12345678,
        }
    }


def test_a_card_that_is_a_number_is_masked(masker: ModuleType) -> None:
    """Large integers are looked at as text."""
    assert masker.mask_value(None, [4111111111111111, 1700000000000]) == [
        "[masked:card]",
        1700000000000,
    ]


def test_objects_stay_unless_their_text_is_secret(masker: ModuleType) -> None:
    """Whoever formats the value gets the object, or its masked text."""

    class Order:
        def __init__(self, text: str) -> None:
            self.text = text

        def __str__(self) -> str:
            return self.text

    plain = Order("order 17")
    assert masker.mask_value(None, plain) is plain
    assert masker.mask_value(None, Order("for ann@example.com")) == "for [masked:email]"


def test_cycles_and_depth_end(masker: ModuleType) -> None:
    """A list that holds itself is cut, with a word that says so."""
    loop: list[Any] = ["password=abc"]
    loop.append(loop)
    masked = masker.mask_value(None, loop)
    assert "abc" not in repr(masked)
    assert "[nested too deep]" in repr(masked)


def test_a_wide_value_is_cut(masker: ModuleType) -> None:
    """Beyond 10,000 values nothing is looked at and nothing goes out."""
    wide = ["x"] * 20_000 + ["password=abc"]
    masked = masker.mask_value(None, wide)
    assert len(masked) == 10_001
    assert masked[-1] == "[nested too deep]"


def test_a_list_of_names_is_no_pair(masker: ModuleType) -> None:
    """A JSON schema's `required` stays; lists and tuples that hold a secret do not."""
    schema = {"required": ["password", "token"], "also": ["password", "email"]}
    assert masker.mask_value(None, schema) is schema
    masked = "[masked:password]"
    assert masker.mask_value(None, ["password", "hunter22"]) == ["password", masked]
    assert masker.mask_value(None, ("password", "letmein")) == ("password", masked)
    assert masker.mask_value(None, {"password": ["secret1"]}) == {"password": [masked]}


def test_what_follows_an_option_is_its_value(masker: ModuleType) -> None:
    """Arguments as a list, and as the text of one; another option is no value."""
    given = ["app.py", "--password", "hunter", "--user", "ann", "--token", "--verbose", "x"]
    masked = [*given[:2], "[masked:password]", *given[3:]]
    assert masker.mask_value(None, given) == masked
    assert masker.mask_value("process.command_args", tuple(given)) == tuple(masked)
    assert masker.mask_value(None, ["--api-key", "k1"]) == ["--api-key", "[masked:api_key]"]
    options = {"options": ["--password", "--email"]}
    assert masker.mask_value(None, options) is options
    text = repr(["app.py", "--password", "hunter22", "--user", "ann"])
    assert masker.mask_text(text) == text.replace("hunter22", "[masked:password]")
    harmless = repr(["--password", "--email"])
    assert masker.mask_text(harmless) == harmless
