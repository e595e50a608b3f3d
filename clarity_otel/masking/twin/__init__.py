"""The masker in Python, for where the native module is missing.

The same finders as `native/src/mask`, file by file, on the same data: one test runs
both over the same lines. Slower by two orders of magnitude, linear as well: no pattern
goes back, and every look around has a bound. Thread and fork safe.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from clarity_otel.masking.named import NAMED, located_field
from clarity_otel.masking.rules import RULES
from clarity_otel.masking.twin import at, ip, keys, numbers, shapes
from clarity_otel.masking.twin.arguments import Arguments
from clarity_otel.masking.twin.value import is_likely, looks_secret
from clarity_otel.masking.twin.words import Find

__all__ = ["mask_configure", "mask_counts", "mask_text", "mask_value"]

_V = TypeVar("_V")
_FAILED = "[masking failed]"
_CUT = "[nested too deep]"
_MAX_DEPTH = 16
_MAX_VALUES = 10_000
_WHOLE = ("any", "line", "scheme")
# ECMA-48's SGR.
_COLOURS = re.compile("\x1b\\[[0-9:;]*m")


class _Masker:
    """One configuration of the masker; never changed after it was made."""

    def __init__(
        self,
        enabled: bool = True,
        on: Sequence[str] = (),
        off: Sequence[str] = (),
        patterns: Sequence[tuple[str, str]] = (),
        keys: Sequence[str] = (),
        allow: Sequence[str] = (),
        hash_key: bytes | None = None,
        limit: int = 65_536,
        broken: bool = False,
    ) -> None:
        self.broken = broken
        self.enabled = enabled
        self.refused: list[str] = []
        self.on = {rule.name: rule.on for rule in RULES} | {"own_key": True}
        for names, state in ((on, True), (off, False)):
            for name in names:
                if name in self.on and name != "own_key":
                    self.on[name] = state
                else:
                    self.refused.append(f'there is no rule "{name}"')
        self.keys = self._own_keys(keys)
        self.patterns = self._own_patterns(patterns)
        self.allow = frozenset(allow)
        self.hash_key = hash_key
        self.limit = limit

    def _own_keys(self, texts: Sequence[str]) -> tuple[str, ...]:
        own = []
        for text in texts:
            squeezed = keys.Squeezed(text).text
            if squeezed:
                own.append(squeezed)
            else:
                self.refused.append(f'the key "{text}" has no letter or digit')
        return tuple(own)

    def _own_patterns(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, re.Pattern[str]]]:
        own = []
        for name, pattern in pairs:
            try:
                regex = re.compile(pattern)
            except re.error as error:
                self.refused.append(f'the pattern "{name}" is not usable: {error}')
                continue
            if regex.search(""):
                self.refused.append(f'the pattern "{name}" matches everything')
                continue
            own.append((name, regex))
            self.on[name] = True
        return own

    def lookup(self, key: str) -> tuple[str, str] | None:
        """Return the rule for a key and what its value must be."""
        return keys.secret_key(key, self.keys, self.on.__getitem__)

    def text(self, text: str) -> str:
        """Mask free text; colours of a terminal are taken out where something is masked."""
        if not self.enabled:
            return text
        if "\x1b" in text:
            # As a terminal shows it.
            plain = _COLOURS.sub("", text)
            masked = self._uncoloured(plain) if len(plain) < len(text) else plain
            if masked is not plain:
                return masked
        return self._uncoloured(text)

    def _uncoloured(self, text: str) -> str:
        looked_at = text[: self.limit] if self.limit else text
        cut = len(text) - len(looked_at)
        try:
            finds = self.find(looked_at)
        except Exception:
            return _failed()
        if not finds and not cut:
            return text
        out, done = [], 0
        for find in finds:
            out.append(looked_at[done : find.start])
            out.append(self.replacement(find.rule, looked_at[find.start : find.end]))
            done = find.end
        out.append(looked_at[done:])
        if cut:
            out.append(f"[cut: {cut} characters not looked at]")
        return "".join(out)

    def under(self, rule: tuple[str, str] | None, text: str) -> str:
        """Mask the whole text where it is what the rule's key asks for, else what is in it."""
        if rule is None:
            return self.text(text)
        name, check = rule
        trimmed = text.strip()
        if not keys.fits(check, trimmed) or keys.is_placeholder(trimmed, quoted=True):
            return self.text(text)
        return text if trimmed in self.allow else self.replacement(name, text)

    def find(self, text: str) -> list[Find]:
        """Return all that is to be masked, in order and without overlaps."""
        if self.broken:
            raise RuntimeError("the masker was told to fail")
        finds = [
            *keys.find(text, self.lookup),
            *shapes.find(text),
            *at.find(text),
            *numbers.find(text),
            *(ip.find(text) if self.on["ip"] else ()),
            *(
                Find(match.start(), match.end(), name)
                for name, regex in self.patterns
                for match in regex.finditer(text)
                if match[0]
            ),
        ]
        finds = [
            find
            for find in finds
            if find.start < find.end
            and self.on[find.rule]
            and text[find.start : find.end] not in self.allow
        ]
        return _merged(finds)

    def replacement(self, rule: str, found: str) -> str:
        """Return `[masked:rule]`, or `[masked:rule:hash]` with a hash key; count it."""
        _counts[rule] = _counts.get(rule, 0) + 1
        if self.hash_key is None:
            return f"[masked:{rule}]"
        message = found.encode("utf-8", "replace")
        digest = hmac.new(self.hash_key, message, hashlib.sha256).hexdigest()
        return f"[masked:{rule}:{digest[:12]}]"


def _merged(finds: list[Find]) -> list[Find]:
    kept: list[Find] = []
    for find in sorted(finds, key=lambda find: (find.start, -find.end)):
        if kept and find.start < kept[-1].end:
            if find.end > kept[-1].end:
                kept[-1] = kept[-1]._replace(end=find.end)
        else:
            kept.append(find)
    return kept


_counts: dict[str, int] = {}
_masker = _Masker()


def mask_text(text: object) -> str:
    """Mask free text; the same object where nothing was found."""
    try:
        return _masker.text(text if isinstance(text, str) else str(text))
    except Exception:
        return _failed()


def mask_value(key: str | bytes | None, value: _V) -> _V:
    """Mask a value that stands under `key`, with all that is in it."""
    try:
        if not _masker.enabled:
            return value
        walk = _Walk(_masker)
        return walk.value(value, walk.rule_of(key), 0)  # type: ignore[no-any-return]
    except Exception:
        return _failed()  # type: ignore[return-value]


def mask_has_rule(key: str) -> bool:
    """Whether a rule holds for what stands under `key`, whatever its value must be."""
    return _masker.enabled and _masker.lookup(key) is not None


def mask_counts() -> dict[str, int]:
    """Values masked since the process began, by rule; failures as `failed`."""
    return dict(_counts)


def mask_configure(**config: Any) -> list[str]:
    """Replace the masker; return a sentence for each part that was refused."""
    global _masker
    _masker = _Masker(**config)
    return _masker.refused


def _failed() -> str:
    _counts["failed"] = _counts.get("failed", 0) + 1
    return _FAILED


_Rule = tuple[str, str] | None


def _is_likely(item: Any, look: Callable[[str], bool] = is_likely) -> bool:
    if isinstance(item, bytes):
        item = item.decode("latin-1")
    return isinstance(item, str) and look(item)


class _Walk:
    def __init__(self, masker: _Masker) -> None:
        self.masker = masker
        self.left = _MAX_VALUES

    def rule_of(self, key: object) -> _Rule:
        if isinstance(key, str):
            return self.masker.lookup(key)
        return self.masker.lookup(key.decode("latin-1")) if isinstance(key, bytes) else None

    def value(self, value: Any, under: _Rule, depth: int) -> Any:
        if isinstance(value, str):
            return self.masker.under(under, value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            is_long = isinstance(value, int) and value >= 1_000_000_000_000
            return self._by_text(value, under) if under or is_long else value
        if isinstance(value, bytes | bytearray):
            text = value.decode("utf-8", "replace")
            masked = self.masker.under(under, text)
            return value if masked is text else type(value)(masked.encode())
        if depth >= _MAX_DEPTH or self.left <= 0:
            return _CUT
        if isinstance(value, Mapping):
            return self._mapping(value, under, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return self._items(value, under, depth)
        return self._by_text(value, under)

    def _by_text(self, value: Any, under: _Rule) -> Any:
        text = str(value)
        masked = self.masker.under(under, text)
        return value if masked is text else masked

    def _items(self, value: Any, under: _Rule, depth: int) -> Any:
        items = list(value)
        pair = None
        if isinstance(value, list | tuple) and len(items) == 2:
            is_list = isinstance(value, list)
            if under is None:
                pair = self._pair(items, is_list)
            elif under[1] == "pair":
                pair = self._auth(items, is_list)
        fields = getattr(value, "_fields", ()) if isinstance(value, tuple) else ()
        masked: list[Any] = []
        option: _Rule = None
        arguments = Arguments(self.masker.lookup)
        is_ordered = under is None and isinstance(value, list | tuple)
        for index, item in enumerate(items):
            if self.left <= 0:
                masked.append(_CUT)
                break
            self.left -= 1
            rule = under
            if index == 1 and pair:
                rule = pair
            elif index < len(fields):
                rule = self.rule_of(fields[index]) or under
            if option and isinstance(item, str) and not item.startswith("-"):
                rule = option
            masked.append(self.value(item, rule, depth + 1))
            option = arguments.next(item) if is_ordered and isinstance(item, str) else None
        if len(masked) == len(items) and all(a is b for a, b in zip(masked, items, strict=True)):
            return value
        if isinstance(value, tuple) and hasattr(value, "_make"):
            return value._make(masked)
        for kind in (list, tuple, set, frozenset):
            if isinstance(value, kind):
                return kind(masked)
        return masked

    def _pair(self, items: list[Any], is_list: bool) -> _Rule:
        rule = self.rule_of(items[0])
        if rule is None or rule[1] not in _WHOLE:
            return None
        second = items[1].decode("latin-1") if isinstance(items[1], bytes) else items[1]
        is_name = is_list and rule[1] == "any" and isinstance(second, str)
        return None if is_name and not is_likely(second) else rule

    def _auth(self, items: list[Any], is_list: bool) -> _Rule:
        """Return the rule for the second of a name and its password."""
        is_one = all(isinstance(item, str | bytes) for item in items)
        return ("password", "any") if is_one and (not is_list or _is_likely(items[1])) else None

    def _mapping(self, value: Mapping[Any, Any], under: _Rule, depth: int) -> Any:
        # "credentials": {"user": …, "password": …}: its own keys say what is secret, and
        # what looks like a secret under any other.
        secret, under = (under, None) if under and under[0] == "secret" else (None, under)
        named = self._named(value)
        masked: dict[Any, Any] = {}
        changed = False
        for key, item in dict(value).items():
            if self.left <= 0:
                masked["…"] = _CUT
                changed = True
                break
            self.left -= 1
            own = self.rule_of(key)
            rule = named[1] if named and own is None and key == named[0] else own or under
            if (
                rule is None
                and secret
                and (isinstance(item, dict) or _is_likely(item, looks_secret))
            ):
                rule = secret
            new_item = self.value(item, rule, depth + 1)
            new_key = self.masker.text(key) if isinstance(key, str) else key
            changed = changed or new_item is not item or new_key is not key
            masked[new_key] = new_item
        return masked if changed else value

    def _named(self, value: Mapping[Any, Any]) -> tuple[str, _Rule] | None:
        if not isinstance(value, dict) or not 2 <= len(value) <= 8:
            return None
        for name, held in NAMED:
            if name in value and held in value and (rule := self.rule_of(value[name])):
                return held, rule
        field = located_field(value)
        rule = self.rule_of(field) if field else None
        return ("input", rule) if rule else None
