"""What `clarity config` prints."""

from __future__ import annotations

from itertools import groupby

from clarity_otel.settings import VARIABLES, Settings
from clarity_otel.settings.loading import DEFAULT
from clarity_otel.settings.shown import shown
from clarity_otel.settings.variables import HONOURED, INTERNAL


def rows(settings: Settings, *, changed_only: bool = False) -> list[dict[str, str]]:
    """Return one dict a setting: group, name, value (masked), source, support, doc."""
    return [
        {
            "group": variable.group,
            "name": variable.name,
            "value": shown(variable, settings[variable.name]),
            "source": settings.sources[variable.name],
            "support": variable.support,
            "doc": variable.doc,
        }
        for variable in VARIABLES
        if variable.status != INTERNAL
        and not (changed_only and settings.sources[variable.name] == DEFAULT)
    ]


def as_table(listed: list[dict[str, str]]) -> str:
    """Return the rows as lines of text, by group, names aligned."""
    if not listed:
        return "Every setting is at its default."
    width = max(len(row["name"]) for row in listed)
    lines = []
    for group, members in groupby(listed, key=lambda row: row["group"]):
        lines += ["", group]
        for row in members:
            line = f"  {row['name']:{width}}  {row['value'] or '-'}  ({row['source']})"
            if row["support"] != HONOURED:
                line += f"  [{row['support']}]"
            lines.append(line)
    return "\n".join(lines[1:])
