"""Why a question has no answer. The text of each is a sentence for the one who asked."""

from __future__ import annotations


class UnansweredError(Exception):
    """The engine that would answer does not, or not in its own form."""

    status = 502  # HTTP's word for it


class NotGivenError(UnansweredError):
    """No engine for this question was given; the sentence names the option."""

    status = 501
