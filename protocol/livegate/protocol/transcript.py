"""Conversations as text, to be read aloud and to be played: `tests/transcripts/*.txt`.

One line is one step; an empty line or one that begins with `#` means nothing, but the first
`#` line is the title. What a peer does is told, what the gateway does is expected:

    options: {"grace_s": 0}           what the operator decided (`limits`, `config` inside, too)
    client opens                      the client's WebSocket is accepted
    client opens v1                   the same, with the subprotocol `livegate.v1`
    client returns 7                  the client has another WebSocket, and says by its token and
                                      the number of the last frame that it has that it is back
    client> {"type": ...}             it sends a text frame: the rest of the line, JSON or not
    client> bytes 0000ffff            it sends a binary frame
    client> text 22fe                 it sends a text frame that is no printable UTF-8
    client< {"type": ...}             the next frame that it gets has at least these values
    client< bytes 0000ffff            the next frame that it gets is binary, and is this
    client< nothing                   it has got no other frame
    client leaves 1001                it closes its WebSocket
    client closed 4200                the gateway has closed it
    client dismissed CODE 30 message  the operator's limits end it: an `ErrorCode`, the seconds
                                      until another try may succeed (or `never`), and words
    gemini dialled                    the gateway has begun to open a link
    gemini opens                      that link is open
    gemini unreachable refused        that link cannot be opened: the name of a `Fault`
    gemini< {"setup": ...}            the next message that Gemini gets has at least these values
    gemini< nothing                   it has got no other message, and was not dialled again
    gemini> {"setupComplete": {}}     Gemini sends a message: the rest of the line, JSON or not
    gemini> bytes 22fe                the same, for what is no printable UTF-8
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
from typing import Final, TypeAlias

import attrs

from livegate.protocol import Limits, SessionOptions, _json, config
from livegate.protocol.config import Config
from livegate.protocol.errors import ErrorCode, Refusal
from livegate.protocol.inputs import Fault

_NEVER: Final = "never"


@attrs.frozen
class ClientOpens:
    """The client's WebSocket is accepted."""

    is_v1: bool = False


@attrs.frozen
class ClientReturns:
    """The client has another WebSocket, and is back."""

    seq: int
    """The number of the last frame that it has."""


@attrs.frozen
class ClientSends:
    """The client sends one frame."""

    payload: bytes
    is_text: bool

    @property
    def is_sendable(self) -> bool:
        """Whether a WebSocket lets it through: text must be UTF-8 (RFC 6455 section 5.6)."""
        try:
            self.payload.decode()
        except UnicodeError:
            return not self.is_text
        return True


@attrs.frozen
class ClientGets:
    """The next frame that the client gets fits; with None there is no frame."""

    expected: object
    """JSON; bytes stand for a binary frame."""


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
class ClientDismissed:
    """The client has used up what it may, or may not begin."""

    refusal: Refusal


@attrs.frozen
class ShutsDown:
    """The process is about to end."""


Stimulus: TypeAlias = (
    ClientOpens
    | ClientReturns
    | ClientSends
    | ClientLeaves
    | GeminiOpens
    | GeminiUnreachable
    | GeminiSends
    | GeminiCloses
    | ClientDismissed
    | ShutsDown
)
"""What a peer does, or the operator."""

Observation: TypeAlias = ClientGets | ClientClosed | GeminiDialled | GeminiGets | GeminiClosed
"""What the gateway does."""

Action: TypeAlias = Stimulus | Observation | TimePasses


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


def _got(rest: str) -> ClientGets:
    if rest.startswith("bytes "):
        return ClientGets(bytes.fromhex(rest[6:]))
    return ClientGets(_expected(rest))


def _frame(rest: str) -> ClientSends:
    if rest.startswith("bytes "):
        return ClientSends(bytes.fromhex(rest[6:]), is_text=False)
    if rest.startswith("text "):
        return ClientSends(bytes.fromhex(rest[5:]), is_text=True)
    return ClientSends(rest.encode(), is_text=True)


def _message(rest: str) -> GeminiSends:
    if rest.startswith("bytes "):
        return GeminiSends(bytes.fromhex(rest[6:]))
    return GeminiSends(rest.encode())


def _closes(rest: str) -> GeminiCloses:
    code, _, reason = rest.partition(" ")
    return GeminiCloses(int(code), reason)


def _dismissed(rest: str) -> ClientDismissed:
    code, retry_after_s, message = rest.split(" ", 2)
    wait_s = None if retry_after_s == _NEVER else float(retry_after_s)
    return ClientDismissed(Refusal(ErrorCode(code), message, wait_s))


_BARE: Final[Mapping[str, Action]] = {
    "client opens": ClientOpens(),
    "client opens v1": ClientOpens(is_v1=True),
    "gemini dialled": GeminiDialled(),
    "gemini opens": GeminiOpens(),
    "gemini closed": GeminiClosed(),
    "shutdown": ShutsDown(),
}
_FORMS: Final[Mapping[str, Callable[[str], Action]]] = {
    "client returns": lambda rest: ClientReturns(int(rest)),
    "client>": _frame,
    "client<": _got,
    "client leaves": lambda rest: ClientLeaves(int(rest)),
    "client dismissed": _dismissed,
    "client closed": lambda rest: ClientClosed(int(rest)),
    "gemini unreachable": lambda rest: GeminiUnreachable(Fault[rest.upper()]),
    "gemini<": lambda rest: GeminiGets(_expected(rest)),
    "gemini>": _message,
    "gemini closes": _closes,
    "wait": lambda rest: TimePasses(float(rest)),
}
_NAMES: Final = "|".join(re.escape(form) for form in sorted((*_BARE, *_FORMS), reverse=True))
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
            default = Config().merge(config.parse(asked.pop("config", {})))
            options = SessionOptions(**asked, limits=limits, config=default)
        elif line:
            found = _FORM.fullmatch(line)
            if found is None:
                raise ValueError(f"{name}, line {number}: {line}")
            words, rest = found.group(1), found.group(2) or ""
            steps.append(Step(number, line, _BARE.get(words) or _FORMS[words](rest)))
    return Transcript(name, title, options, tuple(steps))


def line_of(action: Action) -> str:
    """Return the line that `parse` reads as this action."""
    match action:
        case ClientSends(payload=payload, is_text=True) if _is_line(payload):
            return f"client> {payload.decode()}"
        case ClientSends(payload=payload, is_text=True):
            return f"client> text {payload.hex()}"
        case ClientSends(payload=payload):
            return f"client> bytes {payload.hex()}"
        case ClientGets(expected=bytes() as expected):
            return f"client< bytes {expected.hex()}"
        case ClientGets(expected=expected):
            return f"client< {_written(expected)}"
        case ClientReturns(seq=seq):
            return f"client returns {seq}"
        case ClientLeaves(code=code):
            return f"client leaves {code}"
        case ClientClosed(code=code):
            return f"client closed {code}"
        case ClientDismissed(refusal=refusal):
            wait_s = _NEVER if refusal.retry_after_s is None else f"{refusal.retry_after_s!r}"
            return f"client dismissed {refusal.code} {wait_s} {refusal.message}"
        case GeminiUnreachable(fault=fault):
            return f"gemini unreachable {fault.name.lower()}"
        case GeminiGets(expected=expected):
            return f"gemini< {_written(expected)}"
        case GeminiSends(payload=payload) if _is_line(payload):
            return f"gemini> {payload.decode()}"
        case GeminiSends(payload=payload):
            return f"gemini> bytes {payload.hex()}"
        case GeminiCloses(code=code, reason=reason):
            return " ".join(["gemini closes", str(code), *reason.split()])
        case TimePasses(seconds=seconds):
            return f"wait {seconds!r}"
        case _:
            return next(words for words, bare in _BARE.items() if bare == action)


def _is_line(payload: bytes) -> bool:
    """Whether a payload can stand in a line as it is, and be read as itself."""
    try:
        text = payload.decode()
    except UnicodeError:
        return False
    return text.isprintable() and not text.startswith(("bytes ", "text "))


def _written(expected: object) -> str:
    if expected is None:
        return "nothing"
    text = json.dumps(expected, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(expected)


def fits(expected: object, got: object) -> bool:
    """Whether `got` has at least what is expected."""
    if type(expected) is not type(got):
        return False
    if _json.is_object(expected) and _json.is_object(got):
        return all(key in got and fits(value, got[key]) for key, value in expected.items())
    if _json.is_array(expected) and _json.is_array(got):
        return len(expected) == len(got) and all(map(fits, expected, got))
    return expected == got
