"""The SQL of the store, one file per object."""

from functools import cache
from importlib.resources import files


@cache
def sql(name: str) -> str:
    """Return the text of `name`.sql."""
    return files(__name__).joinpath(f"{name}.sql").read_text()
