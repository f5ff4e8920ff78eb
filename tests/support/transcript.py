"""Conversations as text: `tests/transcripts/*.txt`, one per file, to be read aloud.

One line is one step; an empty line or one that begins with `#` means nothing, but the first
`#` line is the title. What a peer does is told, what the gateway does is expected:

    options: {"grace_s": 0}           what the operator decided (`limits` inside, too)
    client opens                      the client's WebSocket is accepted
    client> {"type": ...}             it sends a text frame: the rest of the line, JSON or not
    client> bytes 0000ffff            it sends a binary frame
    client< {"type": ...}             the next frame that it gets has at least these values
    client< nothing                   it has got no other frame
    client leaves 1001                it closes its WebSocket
    client closed 4200                the gateway has closed it
    gemini dialled                    the gateway has begun to open a link
    gemini opens                      that link is open
    gemini unreachable refused        that link cannot be opened: the name of a `Fault`
    gemini< {"setup": ...}            the next message that Gemini gets has at least these values
    gemini< nothing                   it has got no other message, and was not dialled again
    gemini> {"setupComplete": {}}     Gemini sends a message: the rest of the line, JSON or not
    gemini closes 1011 some reason    Gemini ends the link
    gemini closed                     the gateway has ended the link, or given up dialling it
    wait 0.3                          so many seconds pass
    shutdown                          the process is about to end

An object matches if each given key does, a list if each item does, all else if it is equal.
Whatever the gateway did that no line expects makes the transcript fail at its end.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias, cast

import attrs

from livegate.protocol import Limits, SessionOptions
from livegate.protocol.inputs import Fault

FOLDER: Final = Path(__file__).parent.parent / "transcripts"


@attrs.frozen
class ClientOpens:
    """The client's WebSocket is accepted."""


@attrs.frozen
class ClientSends:
    """The client sends one frame."""

    payload: bytes
    is_text: bool


@attrs.frozen
class ClientGets:
    """The next frame that the client gets fits; with None there is no frame."""

    expected: object


@attrs.frozen
class ClientLeaves:
    """The client closes its WebSocket."""

    code: int


@attrs.frozen
class ClientClosed:
    """The gateway has closed the client's WebSocket."""

    code: int


@attrs.frozen
class GeminiDialled:
    """The gateway has begun to open a link."""


@attrs.frozen
class GeminiOpens:
    """The link that was dialled is open."""


@attrs.frozen
class GeminiUnreachable:
    """The link that was dialled cannot be opened."""

    fault: Fault


@attrs.frozen
class GeminiGets:
    """The next message that Gemini gets fits; with None there is no message."""

    expected: object


@attrs.frozen
class GeminiSends:
    """Gemini sends one message."""

    payload: bytes


@attrs.frozen
class GeminiCloses:
    """Gemini ends the link."""

    code: int
    reason: str


@attrs.frozen
class GeminiClosed:
    """The gateway has ended the link."""


@attrs.frozen
class TimePasses:
    """So many seconds pass."""

    seconds: float


@attrs.frozen
class ShutsDown:
    """The process is about to end."""


Action: TypeAlias = (
    ClientOpens
    | ClientSends
    | ClientGets
    | ClientLeaves
    | ClientClosed
    | GeminiDialled
    | GeminiOpens
    | GeminiUnreachable
    | GeminiGets
    | GeminiSends
    | GeminiCloses
    | GeminiClosed
    | TimePasses
    | ShutsDown
)


@attrs.frozen
class Step:
    """One line."""

    line: int
    text: str
    action: Action


@attrs.frozen
class Transcript:
    """One conversation."""

    name: str
    title: str
    options: SessionOptions
    steps: tuple[Step, ...]


def _expected(rest: str) -> object:
    return None if rest == "nothing" else json.loads(rest)


def _frame(rest: str) -> ClientSends:
    if rest.startswith("bytes "):
        return ClientSends(bytes.fromhex(rest[6:]), is_text=False)
    return ClientSends(rest.encode(), is_text=True)


def _closes(rest: str) -> GeminiCloses:
    code, _, reason = rest.partition(" ")
    return GeminiCloses(int(code), reason)


_FORMS: Final[Mapping[str, Callable[[str], Action]]] = {
    "client opens": lambda _: ClientOpens(),
    "client>": _frame,
    "client<": lambda rest: ClientGets(_expected(rest)),
    "client leaves": lambda rest: ClientLeaves(int(rest)),
    "client closed": lambda rest: ClientClosed(int(rest)),
    "gemini dialled": lambda _: GeminiDialled(),
    "gemini opens": lambda _: GeminiOpens(),
    "gemini unreachable": lambda rest: GeminiUnreachable(Fault[rest.upper()]),
    "gemini<": lambda rest: GeminiGets(_expected(rest)),
    "gemini>": lambda rest: GeminiSends(rest.encode()),
    "gemini closes": _closes,
    "gemini closed": lambda _: GeminiClosed(),
    "wait": lambda rest: TimePasses(float(rest)),
    "shutdown": lambda _: ShutsDown(),
}
_NAMES: Final = "|".join(re.escape(form) for form in sorted(_FORMS, reverse=True))
_FORM: Final = re.compile(rf"({_NAMES})(?: (.*))?")


def parse(name: str, text: str) -> Transcript:
    """Return a transcript as data.

    Raises:
        ValueError: A line is no step.
    """
    title = ""
    options = SessionOptions()
    steps: list[Step] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            title = title or line[1:].strip()
        elif line.startswith("options:"):
            asked = json.loads(line.removeprefix("options:"))
            limits = Limits(**asked.pop("limits", {}))
            options = SessionOptions(**asked, limits=limits)
        elif line:
            found = _FORM.fullmatch(line)
            if found is None:
                raise ValueError(f"{name}, line {number}: {line}")
            steps.append(Step(number, line, _FORMS[found.group(1)](found.group(2) or "")))
    return Transcript(name, title, options, tuple(steps))


def load() -> list[Transcript]:
    """Return all transcripts, by name."""
    return [parse(path.stem, path.read_text()) for path in sorted(FOLDER.glob("*.txt"))]


def fits(expected: object, got: object) -> bool:
    """Whether `got` has at least what is expected."""
    if type(expected) is not type(got):
        return False
    if isinstance(expected, dict):
        values = cast("dict[str, object]", got)
        wanted = cast("dict[str, object]", expected)
        return all(key in values and fits(value, values[key]) for key, value in wanted.items())
    if isinstance(expected, list):
        items = cast("list[object]", got)
        pattern = cast("list[object]", expected)
        return len(pattern) == len(items) and all(map(fits, pattern, items))
    return expected == got
