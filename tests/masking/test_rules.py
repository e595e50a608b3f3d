"""Each rule masks its examples and leaves its look-alikes."""

from __future__ import annotations

from types import ModuleType

import pytest

from clarity_otel.masking.rules import RULES, Rule


def cases(field: str) -> list[object]:
    """A case for each text of that field, named by its rule."""
    return [
        pytest.param(rule, text, id=f"{rule.name}-{number}")
        for rule in RULES
        for number, text in enumerate(getattr(rule, field))
    ]


@pytest.mark.parametrize(("rule", "text"), cases("examples"))
def test_a_rule_masks_its_examples(masker: ModuleType, rule: Rule, text: str) -> None:
    """The replacement names the rule, and the rule is counted."""
    masker.mask_configure(on=[rule.name])
    before = masker.mask_counts().get(rule.name, 0)
    assert f"[masked:{rule.name}]" in masker.mask_text(text)
    assert masker.mask_counts()[rule.name] > before


@pytest.mark.parametrize(("rule", "text"), cases("harmless"))
def test_a_rule_leaves_its_look_alikes(masker: ModuleType, rule: Rule, text: str) -> None:
    """Where nothing is masked, the very same object comes back."""
    masker.mask_configure(on=[rule.name])
    assert masker.mask_text(text) is text


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.examples], ids=lambda r: r.name)
def test_a_rule_that_is_off_masks_nothing(masker: ModuleType, rule: Rule) -> None:
    """Its name stands in no replacement; other rules go on."""
    masker.mask_configure(off=[rule.name])
    for text in rule.examples:
        assert f"[masked:{rule.name}]" not in masker.mask_text(text)


def test_names_are_unique_and_fit_a_label() -> None:
    """A rule's name is a metric's label value."""
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name.islower() for name in names)
