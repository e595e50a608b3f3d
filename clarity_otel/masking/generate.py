"""Writes native/src/mask/table.rs from the rules and the number plans.

python -m clarity_otel.masking.generate          write it
python -m clarity_otel.masking.generate --check  exit 1 if it is not what would be written
"""

from __future__ import annotations

import sys
from pathlib import Path

from clarity_otel.generated import write_or_check
from clarity_otel.masking import plans, rules
from clarity_otel.masking.patterns import parse, prefix

ROOT = Path(__file__).resolve().parent.parent.parent
NATIVE_TABLE = ROOT / "native" / "src" / "mask" / "table.rs"
_COMMAND = "python -m clarity_otel.masking.generate"


def native_table() -> str:
    """Return the text of native/src/mask/table.rs, as rustfmt leaves it alone."""
    out = [
        "//! The masker's rules and number plans.",
        "//!",
        f"//! Written by `{_COMMAND}` from clarity_otel/masking/rules.py and plans.py.",
        "#![cfg_attr(rustfmt, rustfmt_skip)]",
        "",
        "use super::{Key, Pattern, Rule, Step, Value};",
        "",
        "pub const RULES: &[Rule] = &[",
        *(
            f"    Rule {{ name: {_text(rule.name)}, on: {_flag(rule.on)} }},"
            for rule in rules.RULES
        ),
        "];",
        "",
    ]
    for name in (
        "HARMLESS_KEYS",
        "QUALIFIERS",
        "HARMLESS_VALUES",
        "HARMLESS_QUOTED",
        "CODE_ROOTS",
        "HARMLESS_PAIRS",
        "VALUE_TYPES",
        "PHONE_WORDS",
        "TRUNK_WORDS",
        "NUMBER_WORDS",
        "SSN_WORDS",
        "SCHEMES",
        "NO_DOMAIN",
    ):
        words = sorted(getattr(rules, name), key=str.encode)
        out += [
            f"pub const {name}: &[&str] = &[",
            *(f"    {_text(word)}," for word in words),
            "];",
            "",
        ]
    out += ["pub const KEYS: &[Key] = &["]
    for number, rule in enumerate(rules.RULES):
        value = f"Value::{rule.value.capitalize()}"
        for text, whole in [*((k, False) for k in rule.keys), *((w, True) for w in rule.words)]:
            for spelled in rules.spellings(text.replace(" ", "")):
                fields = f"text: {_text(spelled)}, words: {_flag(whole)}, rule: {number}"
                out.append(f"    Key {{ {fields}, value: {value} }},")
    out += ["];", "", "pub const PATTERNS: &[Pattern] = &["]
    for number, rule in enumerate(rules.RULES):
        for pattern in rule.patterns:
            steps = ", ".join(_step(*step) for step in parse(pattern))
            fields = f"rule: {number}, prefix: {_text(prefix(pattern))}"
            out.append(f"    Pattern {{ {fields}, steps: &[{steps}] }},")
    out += [
        "];",
        "",
        "/// Country code, least and most digits after it.",
        "pub const PHONE_LENGTHS: &[(&str, u8, u8)] = &[",
    ]
    out += [
        f"    ({_text(code)}, {low}, {high}),"
        for code, (low, high) in sorted(plans.PHONE_LENGTHS.items())
    ]
    out += [
        "];",
        "",
        "/// A bit for each area code from 0 to 1023.",
        "pub const AREA_CODES: [u64; 16] = [",
    ]
    for word in range(16):
        bits = sum(1 << bit for bit in range(64) if word * 64 + bit in plans.AREA_CODES)
        out.append(f"    {bits:#018x},")
    out += ["];", "", "pub const IBAN_LENGTHS: &[(&str, u8)] = &["]
    out += [
        f"    ({_text(country)}, {length}),"
        for country, length in sorted(plans.IBAN_LENGTHS.items())
    ]
    out += [
        "];",
        "",
        "/// First four digits from and to, and a bit for each length.",
        "pub const CARD_RANGES: &[(u16, u16, u32)] = &[",
    ]
    out += [
        f"    ({low}, {high}, {sum(1 << n for n in lengths):#x}),"
        for low, high, lengths in plans.CARD_RANGES
    ]
    out += ["];", ""]
    names = {rule.name: number for number, rule in enumerate(rules.RULES)}
    for rule_name, number in names.items():
        if rules.RULES[number].finder or rule_name in FOUND_IN_CODE:
            out.append(f"pub const {rule_name.upper()}: u16 = {number};")
    return "\n".join(out) + "\n"


FOUND_IN_CODE = ("aws_secret", "aws_key", "password", "secret")


def _text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _step(chars: frozenset[int], lowest: int, highest: int) -> str:
    low = sum(1 << byte for byte in chars if byte < 64)
    high = sum(1 << (byte - 64) for byte in chars if byte >= 64)
    return f"Step([{low:#x}, {high:#x}], {lowest}, {highest})"


def main(arguments: list[str]) -> int:
    """Write the table, or with --check compare it; return the exit code."""
    return write_or_check(NATIVE_TABLE, native_table(), _COMMAND, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
