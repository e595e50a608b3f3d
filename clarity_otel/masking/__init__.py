"""Stand-in until the masker is merged."""


def mask_text(text: str) -> str:
    """Return text."""
    return text


def mask_value(key: str, value: str) -> str:
    """Return value."""
    return value
