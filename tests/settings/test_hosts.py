"""Lists of hosts: what no host is ever called is said and left out, and opens no other host."""

from __future__ import annotations

import pytest

from clarity_otel.correlation.hosts import is_named
from clarity_otel.settings import load
from clarity_otel.settings.variables import HOST_LISTS

WRONG = [
    "127.0.0.1:18231",
    "api.example:443",
    "[::1]:80",
    "[::1]",
    "*.example.com:443",
    "http://127.0.0.1",
    "api.example/path",
    "user@api.example",
    "127.*",
    "api.*.example",
    "**",
    ".example.com",
    "a.example b.example",
    "a.example;b.example",
    "'*.example.com'",
]


@pytest.mark.parametrize("name", HOST_LISTS)
@pytest.mark.parametrize("entry", WRONG)
def test_an_entry_that_no_host_is_like_is_left_out_with_a_sentence(name: str, entry: str) -> None:
    """The others count, and the sentence names the setting and the entry."""
    settings = load({name: f"one.example,{entry}"})
    assert settings[name] == ("one.example",)
    (sentence,) = settings.warnings
    assert sentence.startswith(f"{name} names ")
    assert sentence.endswith("; it is left out.")
    assert entry in sentence or "@" in entry


@pytest.mark.parametrize("name", HOST_LISTS)
@pytest.mark.parametrize("entry", WRONG)
def test_a_list_of_which_nothing_is_left_names_no_host(name: str, entry: str) -> None:
    """It fails closed: it is not the default, which names all."""
    hosts = load({name: entry})[name]
    assert hosts == ()
    assert not is_named("127.0.0.1", hosts)


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("*", "any.example"),
        ("api.example", "api.example"),
        ("*.example.com", "api.example.com"),
        ("*.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("API.Example", "api.example"),
        ("my_service", "my_service"),
    ],
)
def test_what_a_host_may_be_called_is_taken_as_it_is(entry: str, host: str) -> None:
    """Names, addresses and `*` at the front."""
    settings = load({"CLARITY_PROPAGATION_HOSTS": entry})
    assert settings.warnings == ()
    assert is_named(host, settings.propagation_hosts)


def test_no_half_of_a_password_is_shown() -> None:
    """A comma in it has cut the address in two."""
    settings = load({"CLARITY_PROPAGATION_HOSTS": "http://user:hun,ter2@one.example/"})
    assert settings.propagation_hosts == ()
    assert "hun" not in str(settings.warnings)
    assert "ter2" not in str(settings.warnings)


def test_a_wrong_entry_given_in_python_raises() -> None:
    """It comes from the app's own code."""
    with pytest.raises(ValueError, match=r"propagation_hosts names a:1, and hosts are compared"):
        load({}, {"propagation_hosts": ["a:1", "b"]})
