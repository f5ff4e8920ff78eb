"""Strings that nobody may see."""

from collections.abc import Iterable
from functools import cached_property
from urllib.parse import quote

import attrs


@attrs.frozen
class Secret:
    """A string that no repr, log or traceback shows."""

    value: str = attrs.field(repr=False)
    name: str = "key"
    """What is shown in its place, in brackets."""

    @cached_property
    def _shapes(self) -> frozenset[str]:
        """The secret as it is, and as a URL, a repr and JSON would hold it."""
        escaped = self.value.replace("\\", "\\\\")
        marked = (escaped.replace(mark, f"\\{mark}") for mark in "'\"")
        return frozenset({self.value, quote(self.value, safe=""), escaped, *marked})

    def __str__(self) -> str:
        return f"[{self.name}]" if self.value else ""

    def redact(self, text: str) -> str:
        """Return `text` without the secret, however that is escaped."""
        if self.value:
            for shape in self._shapes:
                text = text.replace(shape, str(self))
        return text


def redacted(text: str, secrets: Iterable[Secret]) -> str:
    """Return `text` without any of the secrets."""
    for secret in secrets:
        text = secret.redact(text)
    return text
