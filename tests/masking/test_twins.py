"""The native masker and its twin give the same."""

from __future__ import annotations

import random
import re

import pytest

from clarity_otel.masking import plans
from clarity_otel.masking.generate import NATIVE_TABLE, native_table
from clarity_otel.masking.named import NAMED
from clarity_otel.masking.patterns import parse
from clarity_otel.masking.rules import RULES
from tests.masking.engines import MASKERS

WORDS = [
    "password", "token", "api_key", "Authorization", "Cookie", "name", "value", "Bearer", "Basic",
    "=", ":", " ", ", ", '"', "'", "\\", '\\"', "{", "}", "[", "]", "(", ")", "<", ">", "&", "%3D",
    "%22", "@", "example.com", "ann", "://", "4111 1111 1111 1111", "219-09-9998",
    "+44 20 7946 0958",
    "DE89370400440532013000", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBg", "\n", "é", "用户", "abc123", "null", "AUTH",
    "--password", "-u ", "redis-cli", " -a ", "=>", "->", "QWxhZGRpbjpvcGVu", ";", "/", "0", "7",
    'name="password"', "<value>", "</", "&gt;", "&lt;", "Content-Type: a", "\r\n", "system",
    "phone ", "nr ", "0171-3920077", "docker login", " -p ", "[masked:phone]",
    "input_value=", "[type=a, ", "\n  ", "'loc': ('password',), ", "'input': ", "'-u', '", "'-a', ",
    "'redis-cli', ", "sshpass", ", '-p', ", "docker", "'login', ", ";PWD=", "{ab1}", "]]>",
    "<![CDATA[", "\\u043f\\u0430\\u0440\\u043e\\u043b\\u044c", '"""', "'''",
    "|\n", ">-\n    ", "  value: ", "name: DB_PASSWORD",
    "+PRIVATE+KEY-----", "-----BEGIN", "-----END", "%3BPWD%3D", "GenieKey ",
    "\x1b[36m", "\x1b[0m", "\x1b[",
]  # fmt: skip


@pytest.mark.skipif("native" not in MASKERS, reason="the native module is not built")
def test_both_maskers_agree_on_random_text() -> None:
    """3,000 texts of pieces that matter, of a fixed seed."""
    native, twin = MASKERS["native"], MASKERS["twin"]
    pieces = [*WORDS, *(text for rule in RULES for text in (*rule.examples, *rule.harmless))]
    chosen = random.Random(4)
    for _ in range(3_000):
        text = "".join(chosen.choices(pieces, k=chosen.randint(1, 12)))
        assert native.mask_text(text) == twin.mask_text(text), text


def test_the_native_table_is_what_the_rules_say() -> None:
    """Rust and Python read the same rules."""
    assert NATIVE_TABLE.read_text(encoding="utf-8") == native_table()


def test_both_maskers_know_the_same_named_pairs() -> None:
    """The table stands once in Python and once in Rust."""
    source = NATIVE_TABLE.with_name("mod.rs").read_text(encoding="utf-8")
    table = source.partition("pub const NAMED")[2].partition("];")[0]
    assert tuple(re.findall(r'\("(\w+)", "(\w+)"\)', table)) == NAMED


def test_the_number_plans_hold_what_is_known() -> None:
    """A few entries from the plans themselves."""
    assert plans.PHONE_LENGTHS["44"] == (9, 10)
    assert {212, 415, 800} <= plans.AREA_CODES
    assert not {0, 111, 211, 999} & plans.AREA_CODES
    assert plans.IBAN_LENGTHS["DE"] == 22


def test_every_token_has_the_run_that_the_first_look_asks_for() -> None:
    """`scan::TOKEN_RUN`: fifteen bytes of a token in a row, in each match."""
    token = frozenset(ord(c) for c in "_-.+/=") | {b for b in range(128) if chr(b).isalnum()}
    for rule in RULES:
        for pattern in rule.patterns:
            longest = run = 0
            for chars, lowest, _ in parse(pattern):
                run = run + lowest if chars <= token else 0
                longest = max(longest, run)
            assert longest >= 15, pattern
