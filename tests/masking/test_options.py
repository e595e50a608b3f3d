"""Settings of the masker: what they change, and what is refused."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from types import ModuleType

import pytest

from clarity_otel import masking
from clarity_otel.masking.options import options
from clarity_otel.settings import load


def configured(masker: ModuleType, environ: dict[str, str]) -> list[str]:
    """Configure one masker as `masking.configure` does; return what was refused."""
    chosen, refused = options(load(environ))
    return [*refused, *masker.mask_configure(**chosen)]


def test_own_patterns_and_keys(masker: ModuleType) -> None:
    """They come from variables, several in one."""
    refused = configured(
        masker,
        {
            "CLARITY_MASK_PATTERNS": "customer=CUST-[0-9]{6};;badge=B[0-9]+x",
            "CLARITY_MASK_KEYS": "blood type, x-internal",
        },
    )
    assert refused == []
    text = masker.mask_text("CUST-123456 has B12x, bloodType=AB-neg")
    assert text == "[masked:customer] has [masked:badge], bloodType=[masked:own_key]"
    assert masker.mask_value("X-Internal", "abc") == "[masked:own_key]"


def test_a_wrong_pattern_is_refused_with_its_name(masker: ModuleType) -> None:
    """One sentence, and the others work on."""
    refused = configured(
        masker, {"CLARITY_MASK_PATTERNS": "good=G[0-9]+;;bad=(unclosed;;empty=x*;;Wrong Name=a"}
    )
    assert len(refused) == 3
    assert any("'bad'" in sentence for sentence in refused)
    assert any('"empty"' in sentence for sentence in refused)
    assert any("'Wrong Name'" in sentence for sentence in refused)
    assert masker.mask_text("G17 password=abc") == "[masked:good] password=[masked:password]"


def test_a_pattern_that_only_python_knows_is_refused() -> None:
    """The native masker has no look-behind: it would not be linear."""
    native = pytest.importorskip("clarity_otel._native")
    refused = native.mask_configure(patterns=[("behind", "(?<=a)b")])
    native.mask_configure()
    assert len(refused) == 1
    assert '"behind"' in refused[0]


def test_a_file_of_rules(masker: ModuleType, tmp_path: Path) -> None:
    """TOML: keys, allow, and a table of patterns."""
    file = tmp_path / "masking.toml"
    file.write_text(
        'keys = ["pet name"]\nallow = ["noreply@example.com"]\n'
        "[patterns]\ncase_number = 'C-[0-9]{4}'\n"
    )
    assert configured(masker, {"CLARITY_MASK_FILE": str(file)}) == []
    text = "C-2041 of noreply@example.com, pet_name=Rex, from ann@example.com"
    assert masker.mask_text(text) == (
        "[masked:case_number] of noreply@example.com, pet_name=[masked:own_key], "
        "from [masked:email]"
    )


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"keys = 3", "keys"),
        (b"surprise = 1", "surprise"),
        (b"[[", "cannot be read"),
        (b'keys = ["caf\xe9"]', "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: bytes, word: str) -> None:
    """A sentence names the file's variable and what is wrong."""
    file = tmp_path / "masking.toml"
    file.write_bytes(content)
    _, refused = options(load({"CLARITY_MASK_FILE": str(file)}))
    assert len(refused) == 1
    assert "CLARITY_MASK_FILE" in refused[0]
    assert word in refused[0]


def test_rules_on_and_off(masker: ModuleType) -> None:
    """Addresses are masked on demand, and a rule that does not exist is named."""
    text = "203.0.113.7 and 2001:db8::1 and ann@example.com"
    assert masker.mask_text(text) == "203.0.113.7 and 2001:db8::1 and [masked:email]"
    refused = configured(
        masker, {"CLARITY_MASK_RULES_ON": "ip,nonsense", "CLARITY_MASK_RULES_OFF": "email"}
    )
    assert refused == ['there is no rule "nonsense"']
    assert masker.mask_text(text) == "[masked:ip] and [masked:ip] and ann@example.com"


def test_a_hash_key_joins_equal_values(masker: ModuleType) -> None:
    """HMAC-SHA256 of the value, its first 12 digits: the same on both maskers."""
    configured(masker, {"CLARITY_MASK_HASH_KEY": "k"})
    expected = hmac.new(b"k", b"ann@example.com", hashlib.sha256).hexdigest()[:12]
    assert masker.mask_text("ann@example.com") == f"[masked:email:{expected}]"
    once = masker.mask_text("password=abc")
    assert masker.mask_text(once) == once, "a hash is not masked again"


def test_masking_can_be_switched_off(masker: ModuleType) -> None:
    """CLARITY_MASKING=false leaves everything as it is."""
    configured(masker, {"CLARITY_MASKING": "false"})
    value = {"password": "abc"}
    assert masker.mask_text("password=abc") == "password=abc"
    assert masker.mask_value(None, value) is value


def test_the_defaults_import_nothing_more() -> None:
    """`configure` with no setting of ours leaves the masker on its defaults."""
    assert masking.configure(load({})) == ()


def test_the_package_offers_what_it_documents() -> None:
    """Five names are public."""
    assert masking.__all__ == [
        "configure",
        "mask_counts",
        "mask_has_rule",
        "mask_text",
        "mask_value",
    ]
