"""One connection to the emulated Gemini, as a pure state machine."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias, assert_never

import attrs

from livegate.protocol import _json
from livegate.protocol.emulator import answers, checks, wire
from livegate.protocol.emulator.answers import Asked, Beat
from livegate.protocol.emulator.service import Hello, Record, Service
from livegate.protocol.emulator.speech import OUT_RATE, Ear, echo_of
from livegate.protocol.emulator.wire import RefusalError
from livegate.protocol.profiles import Profile, profile_of

_REASON_BYTES: Final = 123
_SILENCE_S: Final = 0.8
_TOKENS_PER_S: Final = 25
"""Live API: what a second of sound costs."""


@attrs.frozen
class Frame:
    """A whole WebSocket message came."""

    payload: bytes
    is_text: bool = True


@attrs.frozen
class Gone:
    """The client's WebSocket ended."""

    code: int = 1006
    reason: str = ""


@attrs.frozen
class DeadlineReached:
    """The clock has reached `Link.deadline`."""


Event: TypeAlias = Frame | Gone | DeadlineReached


@attrs.frozen
class Send:
    """Send one message."""

    payload: bytes
    is_text: bool = False
    """As a text frame; the real service sends binary ones."""


@attrs.frozen
class Close:
    """Close the WebSocket."""

    code: int
    reason: str = ""


@attrs.frozen
class Abort:
    """Cut the connection."""


Command: TypeAlias = Send | Close | Abort


class Link:
    """One connection: `handle` what happens, do what it answers, come back at `deadline`."""

    def __init__(self, service: Service, hello: Hello) -> None:
        self._service = service
        self._options = service.options
        self._hello = hello
        self.record: Record = service.opened(hello)
        self._number = service.links_total
        self._commands: list[Command] = []
        self._now = 0.0
        self._is_over = False
        self._profile: Profile = profile_of("")
        self._setup: wire.Setup | None = None
        self._ready_at = math.inf
        self._speaks = True
        self._ear = Ear(_SILENCE_S)
        self._by_hand: bytearray | None = None
        """What is heard between activityStart and activityEnd."""
        self._by_hand_rate = 16_000
        self._is_seeding = False
        self._said: tuple[str, ...] = ()
        self._unasked: list[str] = []
        """Text of turns that turnComplete has not followed yet."""
        self._beats: Iterator[Beat] = iter(())
        self._next: Beat | None = None
        self._due = 0.0
        self._is_answering = False
        self._asked: Asked | None = None
        self._begun_at = 0.0
        self._sound_s = 0.0
        self._told = ""
        self._prompt_tokens = 0
        self._calls: set[str] = set()
        self._call_count = 0

    @property
    def deadline(self) -> float | None:
        """When to handle `DeadlineReached`, or None."""
        if self._is_over:
            return None
        due = self._due if self._next is not None else math.inf
        soonest = min(due, self._ready_at)
        return None if soonest == math.inf else soonest

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take note of what happened and return what to do. No payload raises anything."""
        if self._is_over:
            return []
        self._now = now
        try:
            match event:
                case Frame(payload=payload):
                    self._frame(payload)
                case Gone():
                    self._end()
                case DeadlineReached():
                    pass
                case _:
                    assert_never(event)
            if now >= self._ready_at:
                self._get_ready()
            self._play()
        except RefusalError as refusal:
            self._close(refusal.code, refusal.reason)
        given, self._commands = self._commands, []
        return given

    # Setting up

    def _frame(self, payload: bytes) -> None:
        message, given = wire.read(payload)
        if self._setup is None:
            if message.setup is None:
                raise RefusalError(1007, "The first message must be setup.")
            self._set_up(message.setup)
            setup = given["setup"]
            self.record.setup = dict(setup) if _json.is_object(setup) else None
            return
        if message.setup is not None:
            raise RefusalError(1007, "setup must be sent once, as the first message.")
        if self._ready_at < math.inf:
            raise RefusalError(1007, "Nothing may be sent before setupComplete.")
        is_sound = message.realtime_input is not None and message.realtime_input.audio is not None
        if not is_sound and self._service.keep(self.record, len(payload)):
            self.record.messages.append(dict(given))
        if message.client_content is not None:
            self._client_content(message.client_content)
        elif message.realtime_input is not None:
            self._realtime_input(message.realtime_input)
        elif message.tool_response is not None:
            self._tool_response(message.tool_response)

    def _set_up(self, setup: wire.Setup) -> None:
        version = self._service.version(self._hello.path) or "v1beta"
        checks.check_key(self._hello.key, self._options.keys)
        self._profile = checks.profile_for(setup.model, version)
        self._speaks = checks.modality_of(setup, self._profile) == "AUDIO"
        checks.check_settings(setup, self._profile)
        handle = setup.session_resumption.handle if setup.session_resumption else ""
        if handle:
            kept = self._service.conversation(handle, self._now)
            if kept is None:
                raise RefusalError(1008, "BidiGenerateContent session not found")
            if kept.model != self._profile.name:
                raise wire.invalid()
            self._said = kept.said
        self._setup = setup
        history = setup.history_config
        self._is_seeding = bool(history and history.initial_history_in_client_content)
        detection = setup.realtime_input_config.automatic_activity_detection
        if detection is not None and detection.silence_duration_ms:
            self._ear = Ear(detection.silence_duration_ms / 1000)
        self._ready_at = self._now + self._options.setup_delay_s

    def _get_ready(self) -> None:
        self._ready_at = math.inf
        self._send({"setupComplete": {}})

    @property
    def _is_manual(self) -> bool:
        detection = self._settings.realtime_input_config.automatic_activity_detection
        return bool(detection and detection.disabled)

    @property
    def _settings(self) -> wire.Setup:
        return self._setup or wire.Setup()

    # What the client says

    def _client_content(self, content: wire.ClientContent) -> None:
        checks.check_turns(self._profile, is_seeding=self._is_seeding)
        for turn in content.turns:
            checks.check_content(turn)
            if turn.role != "model":
                self._unasked += [part.text for part in turn.parts if part.text]
        if self._is_seeding:
            self._said += tuple(self._unasked)
            self._unasked.clear()
            self._is_seeding = not content.turn_complete
            return
        self._interrupt()
        if content.turn_complete:
            text, self._unasked = " ".join(self._unasked), []
            self._ask(text)

    def _realtime_input(self, realtime: wire.RealtimeInput) -> None:
        checks.check_media_chunks(realtime.media_chunks, self._profile)
        given = [realtime.audio, realtime.video, realtime.text, realtime.media_chunks]
        flags = [realtime.activity_start, realtime.activity_end, realtime.audio_stream_end]
        if sum(one is not None for one in given + flags) != 1:
            raise wire.invalid()
        for blob in [realtime.audio, *(realtime.media_chunks or [])]:
            if blob is not None:
                self._hear(wire.bytes_of(blob), checks.rate_of(blob))
        if realtime.video is not None:
            wire.bytes_of(realtime.video)
        if realtime.text is not None:
            self._interrupt()
            self._ask(realtime.text)
        if realtime.audio_stream_end is not None:
            self._stream_end()
        if realtime.activity_start is not None:
            self._check_manual()
            self._interrupt()
            self._by_hand = bytearray()
        if realtime.activity_end is not None:
            self._check_manual()
            heard, self._by_hand = self._by_hand, None
            if heard is None:
                raise RefusalError(1007, "Precondition check failed.")
            self._speech_ended(bytes(heard), self._by_hand_rate)

    def _check_manual(self) -> None:
        if not self._is_manual:
            raise RefusalError(
                1007,
                "Explicit activity control is not supported when automatic activity "
                "detection is enabled.",
            )

    def _stream_end(self) -> None:
        if self._is_manual:
            raise RefusalError(1007, "Precondition check failed.")
        if self._profile.hears_stream_end and self._ear.is_speaking:
            self._speech_ended(*self._ear.finish())

    def _hear(self, heard: bytes, rate: int) -> None:
        if self._service.keep(self.record, len(heard)):
            self.record.audio += heard
        if self._is_manual:
            if self._by_hand is not None:
                self._by_hand += heard
                self._by_hand_rate = rate
            return
        interrupts = self._settings.realtime_input_config.activity_handling != "NO_INTERRUPTION"
        for found in self._ear.hear(heard, rate):
            if found is not None:
                self._speech_ended(*found)
            elif interrupts:
                self._interrupt()

    def _speech_ended(self, heard: bytes, rate: int) -> None:
        seconds = len(heard) / 2 / rate
        known = (one.text for one in self._options.recordings if one.is_heard_in(heard, rate))
        text = next(known, f"[speech {seconds:.1f} s]")
        self._interrupt()
        if self._settings.input_audio_transcription is not None:
            self._send(answers.content(inputTranscription={"text": text}))
        self._prompt_tokens += round(seconds * _TOKENS_PER_S)
        self._ask(text, echo_of(heard, rate))

    def _tool_response(self, response: wire.ToolResponse) -> None:
        checks.check_tool_response(response, self._calls)
        for one in response.function_responses:
            self._calls.discard(one.id)
            if self._asked is not None and not self._calls:
                told = _json.encode(one.response or {}).decode()
                said = answers.say(self._asked, f"The tool said: {told}")
                self._resume(itertools.chain(said, self._beats))

    # What the model says

    def _ask(self, text: str, sound: bytes | None = None) -> None:
        has_tools = any(tool.function_declarations for tool in self._settings.tools or ())
        name, rest = answers.choose(text, self._options.scenario, has_tools=has_tools)
        self._asked = Asked(
            text=text,
            rest=rest,
            history=self._said,
            speaks=self._speaks,
            transcribes=self._settings.output_audio_transcription is not None,
            sound=sound,
        )
        self._said += (text,)
        self._prompt_tokens += len(text.split())
        self._is_answering = True
        self._begun_at = self._now
        self._sound_s = 0.0
        self._told = ""
        if self._settings.session_resumption is not None:
            self._send({"sessionResumptionUpdate": {}})
        self._resume(answers.PLAYS[name].play(self._asked))

    def _resume(self, beats: Iterator[Beat]) -> None:
        self._beats = beats
        self._due = self._now
        self._advance()

    def _advance(self) -> None:
        """Take the next beat, and set when it is due."""
        self._next = next(self._beats, None)
        match self._next:
            case answers.Message(after_s=after_s) | answers.End(after_s=after_s):
                self._due += after_s * self._options.pace
            case answers.Complete():
                self._send(answers.content(generationComplete=True))
                played = self._begun_at + self._sound_s * self._options.pace
                self._due = max(self._due, played)
            case _:
                pass

    def _play(self) -> None:
        """Do all beats that are due."""
        while self._next is not None and self._due <= self._now and not self._is_over:
            beat, self._next = self._next, None
            match beat:
                case answers.Message():
                    self._say(beat)
                case answers.Complete(extra=extra):
                    self._complete(extra)
                case answers.Call(name=name, args=args):
                    self._call(name, args)
                    return
                case answers.Hang():
                    self._is_answering = False
                    return
                case answers.Cut():
                    self._interrupt()
                    return
                case answers.End(code=code, reason=reason):
                    self._close(code, reason)
                    return
                case _:
                    assert_never(beat)
            self._advance()

    def _say(self, message: answers.Message) -> None:
        self._told += message.says
        if message.json:
            self._send(message.json, is_text=message.is_text)
        content = message.json.get("serverContent")
        if not _json.is_object(content):
            return
        self._sound_s += _seconds_of(content)
        if content.get("turnComplete"):
            self._is_answering = False

    def _complete(self, extra: Mapping[str, object]) -> None:
        self._is_answering = False
        said = {"turnComplete": True, **extra}
        self._send({"serverContent": said, "usageMetadata": self._usage()})
        self._give_handle()

    def _interrupt(self) -> None:
        """Stop an answer that is running: what has not left yet never does."""
        if not self._is_answering:
            return
        self._is_answering = False
        self._next, self._beats = None, iter(())
        self._send(answers.content(interrupted=True))
        if self._calls:
            self._send({"toolCallCancellation": {"ids": sorted(self._calls)}})
            self._calls.clear()
        self._send({"serverContent": {"turnComplete": True}, "usageMetadata": self._usage()})
        self._give_handle()

    def _give_handle(self) -> None:
        if self._settings.session_resumption is not None:
            handle = self._service.new_handle(self._profile.name, self._said, self._now)
            update = {"newHandle": handle, "resumable": True}
            self._send({"sessionResumptionUpdate": update})

    def _usage(self) -> Mapping[str, object]:
        prompt, self._prompt_tokens = self._prompt_tokens, 0
        answer = round(self._sound_s * _TOKENS_PER_S) or len(self._told.split())
        modality = "AUDIO" if self._sound_s else "TEXT"
        return {
            "promptTokenCount": prompt,
            "responseTokenCount": answer,
            "totalTokenCount": prompt + answer,
            "responseTokensDetails": [{"modality": modality, "tokenCount": answer}],
        }

    def _call(self, name: str, args: Mapping[str, object]) -> None:
        self._call_count += 1
        call_id = f"call-{self._number}-{self._call_count}"
        self._calls.add(call_id)
        self._send({"toolCall": {"functionCalls": [{"id": call_id, "name": name, "args": args}]}})

    # The connection

    def _send(self, json: Mapping[str, object], *, is_text: bool = False) -> None:
        self._commands.append(Send(_json.encode(json), is_text))

    def _close(self, code: int, reason: str) -> None:
        cut = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        self._commands.append(Abort() if code == 1006 else Close(code, cut))  # noqa: PLR2004 - RFC 6455
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._next = None
        self._service.closed(self.record)


def _seconds_of(content: Mapping[str, object]) -> float:
    """Return how long the sound in a `serverContent` of ours plays."""
    turn = content.get("modelTurn")
    parts = turn.get("parts") if _json.is_object(turn) else None
    seconds = 0.0
    for part in parts if _json.is_array(parts) else []:
        blob = part.get("inlineData") if _json.is_object(part) else None
        data = blob.get("data") if _json.is_object(blob) else None
        if isinstance(data, str):
            seconds += len(data) * 3 // 4 / 2 / OUT_RATE
    return seconds
