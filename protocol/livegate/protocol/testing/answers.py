"""Gemini's side, played by a test: what it says, and which frames the client must get for it."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from livegate.protocol.testing.sounds import Form, Pattern, Sounds

_MAX_OWED: Final = 2


@attrs.frozen(kw_only=True)
class Said:
    """One message of Gemini after its setupComplete; any of its fields may come together."""

    sounds: tuple[str, ...] = ()
    """Base64 of PCM."""
    rate: int = 24_000
    """Hz of all of them."""
    texts: tuple[str, ...] = ()
    thought: str = ""
    transcript: str = ""
    """What is being said, in a session that speaks."""
    heard: str = ""
    calls: tuple[str, ...] = ()
    """Ids of functions to call."""
    cancelled: tuple[str, ...] = ()
    is_interrupted: bool = False
    is_generated: bool = False
    is_complete: bool = False
    usage: int = 0
    """Tokens."""
    handle: str = ""
    goes_away_s: float | None = None
    """Gemini will end the link in so many seconds."""

    @property
    def is_output(self) -> bool:
        """Whether it is a piece of an answer."""
        return bool(self.sounds or self.texts or self.transcript or self.calls)

    @property
    def is_sign(self) -> bool:
        """Whether it shows that Gemini is at work."""
        flags = self.is_interrupted or self.is_generated or self.is_complete
        return bool(self.is_output or self.thought or self.heard or self.cancelled or flags)

    def renamed(self, number: int, calls: Sequence[str]) -> "Said":
        """Return a message like this one, whose contents no other message has.

        Args:
            number: Of this message.
            calls: The ids that may be cancelled.
        """
        return attrs.evolve(
            self,
            sounds=tuple(
                base64.b64encode(f"{number:07}.{at:02}".encode()).decode()
                for at in range(len(self.sounds))
            ),
            texts=tuple(f"part {number}.{at} " for at in range(len(self.texts))),
            thought=self.thought and f"thought {number}",
            transcript=self.transcript and f"said {number} ",
            heard=self.heard if self.heard.isspace() else self.heard and f"heard {number}",
            calls=tuple(f"call-{number}-{at}" for at in range(len(self.calls))),
            cancelled=tuple(calls[: len(self.cancelled)]),
            handle=self.handle and f"handle-{number}",
        )

    def payload(self) -> bytes:
        """Return the message (Live API, BidiGenerateContentServerMessage)."""
        parts: list[object] = [
            {"inlineData": {"mimeType": f"audio/pcm;rate={self.rate}", "data": data}}
            for data in self.sounds
        ]
        parts += [{"text": self.thought, "thought": True}] if self.thought else []
        parts += [{"text": text} for text in self.texts]
        content = {
            "modelTurn": parts and {"parts": parts},
            "outputTranscription": self.transcript and {"text": self.transcript},
            "inputTranscription": self.heard and {"text": self.heard},
            "interrupted": self.is_interrupted,
            "generationComplete": self.is_generated,
            "turnComplete": self.is_complete,
        }
        given = {key: value for key, value in content.items() if value}
        calls = [{"id": call, "name": "look_up", "args": {"key": call}} for call in self.calls]
        message = {
            "serverContent": given,
            "toolCall": calls and {"functionCalls": calls},
            "toolCallCancellation": self.cancelled and {"ids": self.cancelled},
            "usageMetadata": self.usage and {"totalTokenCount": self.usage},
            "sessionResumptionUpdate": self.handle
            and {"newHandle": self.handle, "resumable": True},
            "goAway": self.goes_away_s is not None and {"timeLeft": f"{self.goes_away_s:g}s"},
        }
        return json.dumps({key: value for key, value in message.items() if value}).encode()


@attrs.define
class Terms:
    """What of the config in force decides which frames a client gets."""

    speaks: bool = True
    wants_sound: bool = False
    form: Form = attrs.field(factory=Form)
    """Of the sound."""
    is_manual: bool = False
    events: frozenset[str] = frozenset()
    is_numbered: bool = False
    """Frames say of which turn they are a piece."""

    def wants(self, type_: str) -> bool:
        """Whether the client asked for frames of this type."""
        return bool({type_, "all"} & self.events)


@attrs.define
class Answers:
    """The turns of a conversation, and what the client hears of them."""

    terms: Terms = attrs.field(factory=Terms)
    completed: int = 0
    owed: int = 0
    """How many answers must still end; a third question changes nothing."""
    calls: list[str] = attrs.field(factory=list[str])
    _sounds: Sounds = attrs.field(factory=Sounds)
    _has_begun: bool = False
    _muted: int = 0
    _unspoken: str = ""
    _is_transcribed: bool = False

    @property
    def current(self) -> int:
        """The turn that runs, or comes next."""
        return self.completed + 1

    @property
    def is_awaited(self) -> bool:
        """Whether Gemini has been asked, and has not begun to answer."""
        return self.owed == _MAX_OWED or (self.owed == 1 and not self._has_begun)

    @property
    def begins_next(self) -> bool:
        """Whether the next piece of an answer is its first: of two that are due nobody can tell."""
        return self.owed < _MAX_OWED and not (self.owed and self._has_begun)

    def asked(self) -> None:
        """Take note that a question has reached Gemini."""
        self.owed = min(_MAX_OWED, self.owed + 1)

    def hushed(self) -> Pattern:
        """Take note that the client wants the answer to stop; return the frame it gets."""
        if not self.owed:
            return {"type": "interrupted", "turn": self.completed}
        self._muted = self.current
        self._sounds.hushed()
        return {"type": "interrupted", "turn": self.current}

    def lost(self) -> list[Pattern]:
        """Take note that the link has ended; return the frames that this takes."""
        found: list[Pattern] = []
        if self.calls:
            found.append({"type": "tool_call_cancelled", "ids": self.calls})
        if self.owed:
            found += self._all_heard()
            found.append({"type": "turn_complete", "turn": self.current, "reason": "LOST"})
            self._end_turn()
        self.calls, self.owed = [], 0
        return found

    def given_up(self) -> list[Pattern]:
        """Take note that Gemini does not answer; return the frames that this takes."""
        found = self._all_heard()
        found.append({"type": "turn_complete", "turn": self.current, "reason": "NO_ANSWER"})
        self.owed -= 1
        self._end_turn()
        return found

    def heard(self, said: Said) -> list[Pattern]:
        """Return the frames that the client must get for one message, in order."""
        found: list[Pattern] = []
        for data in said.sounds:
            self._begin()
            if self.terms.wants_sound and not self._is_muted:
                heard = self._sounds.heard(data, said.rate, self.terms.form)
                found += [self._piece(one) for one in heard]
        if said.thought and self.terms.wants("thought"):
            found.append({"type": "thought", "data": said.thought})
        found += self._written(said)
        if said.heard and self.terms.wants("input_transcript"):
            found.append({"type": "input_transcript", "text": said.heard})
        for call in said.calls:
            self._begin()
            self.calls.append(call)
            found.append({"type": "tool_call", "id": call, "args": {"key": call}})
        if said.cancelled:
            self.calls = [call for call in self.calls if call not in said.cancelled]
            found.append({"type": "tool_call_cancelled", "ids": list(said.cancelled)})
        return found + self._flags(said)

    def _written(self, said: Said) -> list[Pattern]:
        """Return what is read: text parts or the transcription, never both."""
        found: list[Pattern] = []
        for text in said.texts:
            self._begin()
            if self.terms.speaks:
                self._unspoken += text
            elif not self._is_muted:
                found.append(self._piece({"type": "response", "text": text}))
        if said.transcript:
            self._begin()
            if self.terms.speaks:
                self._is_transcribed = True
                if not self._is_muted:
                    found.append(self._piece({"type": "response", "text": said.transcript}))
        return found

    def _flags(self, said: Said) -> list[Pattern]:
        usage: Mapping[str, object] = {"totalTokenCount": said.usage}
        found: list[Pattern] = []
        if said.is_interrupted:
            is_due = self.owed == 1 and not self._has_begun
            # An answer that has not begun cannot be what was interrupted.
            found.append(
                {"type": "interrupted", "turn": self.completed} if is_due else self.hushed()
            )
        if said.is_generated or said.is_complete:
            found += self._all_heard()
        if said.is_generated and self.terms.wants("generation_complete"):
            found.append({"type": "generation_complete", "turn": self.current})
        if said.is_complete:
            if self._unspoken and not self._is_transcribed and not self._is_muted:
                found.append(self._piece({"type": "response", "text": self._unspoken}))
            told: Pattern = {"usage": usage} if said.usage else {}
            found.append({"type": "turn_complete", "turn": self.current, **told})
            self.owed = max(0, self.owed - 1)
            self._end_turn()
        elif said.usage and self.terms.wants("usage"):
            found.append({"type": "usage", "data": usage})
        return found

    def _all_heard(self) -> list[Pattern]:
        """Return the frames for sound that waited, unless the client wants none any more."""
        found = self._sounds.ended()
        return [self._piece(one) for one in found] if self.terms.wants_sound else []

    def _piece(self, pattern: Pattern) -> Pattern:
        """Return a piece of the running answer as the client gets it."""
        return {**pattern, "turn": self.current} if self.terms.is_numbered else pattern

    @property
    def _is_muted(self) -> bool:
        return self._muted == self.current

    def _begin(self) -> None:
        if self.owed < _MAX_OWED:
            self.owed, self._has_begun = 1, True

    def _end_turn(self) -> None:
        self.completed += 1
        self._has_begun = self._is_transcribed = False
        self._unspoken = ""
