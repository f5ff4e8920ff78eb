"""A client of the pure emulator, whose clock runs only when told to."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from livegate.protocol.emulator import (
    Abort,
    Close,
    DeadlineReached,
    Event,
    Frame,
    Gone,
    Hello,
    Link,
    Options,
    Pinged,
    Pong,
    Send,
    Service,
    tone_of,
)

PATH: Final = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
DEFAULT: Final = "gemini-3.8-live"
THINKING: Final = "gemini-3.8-live-extended-thinking"
PREVIEW: Final = "gemini-3.1-flash-live-preview"
NATIVE: Final = "gemini-2.5-flash-native-audio-preview-12-2025"
CASCADE: Final = "gemini-live-2.5-flash"
MANUAL: Final = {"automaticActivityDetection": {"disabled": True}}
TEXT: Final = {"responseModalities": ["TEXT"]}
WEATHER: Final = {"functionDeclarations": [{"name": "get_weather", "behavior": "BLOCKING"}]}
EXPIRED: Final = Close(1011, "Deadline expired before operation could complete.")
VOICE: Final = tone_of("a voice", 0.6)
QUIET: Final = bytes(48_000)
Json = Mapping[str, Any]


class Player:
    """A client of the emulator, whose clock runs only when told to."""

    def __init__(
        self,
        service: Service | None = None,
        model: str = DEFAULT,
        *,
        now: float = 100.0,
        **setup: object,
    ) -> None:
        self.service = service or Service()
        self.link = Link(self.service, Hello(PATH, "key"))
        self.now = now
        self.got: list[tuple[float, Send]] = []
        self.pongs: list[tuple[float, bytes]] = []
        self.end: Close | Abort | None = None
        self.send({"setup": {"model": f"models/{model}", **setup}})

    def send(self, message: Json) -> None:
        """Send a message at this moment."""
        self._handle(Frame(json.dumps(message).encode()))

    def ask(self, text: str) -> None:
        """Send a turn of text."""
        turns = [{"role": "user", "parts": [{"text": text}]}]
        self.send({"clientContent": {"turns": turns, "turnComplete": True}})

    def realtime(self, **fields: object) -> None:
        """Send realtime input."""
        self.send({"realtimeInput": fields})

    def speak(self, pcm: bytes, rate: int = 24_000) -> None:
        """Send sound, all of it now."""
        data = base64.b64encode(pcm).decode()
        self.realtime(audio={"mimeType": f"audio/pcm;rate={rate}", "data": data})

    def answer(self, call_id: str, **fields: object) -> None:
        """Send a function's result."""
        response = {"id": call_id, "response": {"output": "sunny"}, **fields}
        self.send({"toolResponse": {"functionResponses": [response]}})

    def ping(self, payload: bytes = b"") -> None:
        """Send a ping."""
        self._handle(Pinged(payload))

    def hang_up(self) -> None:
        """Leave: TCP's end too."""
        self._handle(Gone())

    def wait(self, seconds: float = 60.0) -> None:
        """Let time pass, from one deadline to the next."""
        until = self.now + seconds
        while (deadline := self.link.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self._handle(DeadlineReached())
        self.now = until

    def _handle(self, event: Event) -> None:
        for command in self.link.handle(event, self.now):
            assert self.end is None, "a command came after the end"
            match command:
                case Send():
                    self.got.append((self.now, command))
                case Pong(payload=payload):
                    self.pongs.append((self.now, payload))
                case Close() | Abort():
                    self.end = command

    @property
    def messages(self) -> list[Json]:
        """All that came."""
        return [json.loads(sent.payload) for _, sent in self.got]

    @property
    def contents(self) -> list[Json]:
        """All `serverContent` that came."""
        return [one["serverContent"] for one in self.messages if "serverContent" in one]

    @property
    def parts(self) -> list[Json]:
        """All parts of the answer that came, without thoughts."""
        turns = [one["modelTurn"] for one in self.contents if "modelTurn" in one]
        return [part for turn in turns for part in turn["parts"] if "thought" not in part]

    def shape(self) -> str:
        """Return what came, in words, runs of the same one shortened; and forget it."""
        names: list[str] = []
        for message in self.messages:
            name = "+".join(message.get("serverContent", [*message][:1]))
            if message.get("sessionResumptionUpdate") == {}:
                name = "busy"
            if not names or names[-1] != name:
                names.append(name)
        self.got.clear()
        return " ".join(names)

    def text(self, key: str = "outputTranscription") -> str:
        """Return the transcription that came."""
        return "".join(one[key]["text"] for one in self.contents if key in one)

    def answered(self) -> str:
        """Return the text that came as the answer."""
        return "".join(part.get("text", "") for part in self.parts)

    def sound(self) -> bytes:
        """Return the sound that came."""
        blobs = [part["inlineData"]["data"] for part in self.parts if "inlineData" in part]
        return b"".join(map(base64.b64decode, blobs))

    def handle(self) -> str:
        """Return the newest resumption handle."""
        updates = [one.get("sessionResumptionUpdate") for one in self.messages]
        return [str(one["newHandle"]) for one in updates if one][-1]

    def at(self, key: str) -> float:
        """Return when the first `serverContent` with a key came."""
        return next(when for when, sent in self.got if f'"{key}"'.encode() in sent.payload)


def at_once() -> Service:
    """Return a service that does everything at once."""
    return Service(Options(pace=0.0))
