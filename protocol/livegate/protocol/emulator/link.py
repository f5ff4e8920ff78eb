"""One connection to the emulated Gemini, as a pure state machine."""

import itertools
import math
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias, assert_never

import attrs

from livegate.protocol import _json
from livegate.protocol.emulator import answers, checks, wire
from livegate.protocol.emulator.answers import GO_AWAY_S, Asked, Beat
from livegate.protocol.emulator.service import Hello, Record, Service
from livegate.protocol.emulator.speech import MAX_SPEECH_S, Ear, Speech, transcript_of
from livegate.protocol.emulator.wire import RefusalError
from livegate.protocol.profiles import Profile, Thinking, profile_of

_REASON_BYTES: Final = 123  # RFC 6455 section 5.5: what a close frame has room for
_ABORTED: Final = 1006
_TOKENS_PER_S: Final = 25  # Live API: what a second of sound costs
_MAX_SAID: Final = 100
_MAX_SAID_CHARS: Final = 1_000
_MAX_WAITING: Final = 8
_MAX_CALLS: Final = 100


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
        self._ready_at = math.inf
        self._leaves_at = math.inf
        """When goAway goes out."""
        self._ends_at = math.inf
        # What the setup says
        self._profile: Profile = profile_of("")
        self._setup: wire.Setup | None = None
        self._speaks = True
        self._tools: list[wire.Tool] = []
        # What the client said
        self._ear = Ear(0.0)
        self._by_hand: bytearray | None = None
        """What is heard between activityStart and activityEnd."""
        self._by_hand_rate = 0
        self._is_seeding = False
        self._said: tuple[str, ...] = ()
        self._unasked: list[str] = []
        """Text of turns that turnComplete or activityEnd has not followed yet."""
        # What the model says
        self._is_answering = False
        self._waiting: deque[Iterator[Beat]] = deque(maxlen=_MAX_WAITING)
        """Answers that may not interrupt the one that is running."""
        self._beats: Iterator[Beat] = iter(())
        self._next: Beat | None = None
        self._due = 0.0
        self._played_at = -math.inf
        """When all sound will have been played that has left."""
        self._sound_s = 0.0
        self._words = 0
        self._prompt_tokens = 0
        self._calls: dict[str, Asked] = {}
        self._awaited = ""
        """The call that the answer waits for."""
        self._call_count = 0

    @property
    def deadline(self) -> float | None:
        """When to handle `DeadlineReached`, or None."""
        if self._is_over:
            return None
        due = self._due if self._next is not None else math.inf
        soonest = min(due, self._ready_at, self._leaves_at, self._ends_at)
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
            self._keep_time()
        except RefusalError as refusal:
            self._close(refusal.code, refusal.reason)
        given, self._commands = self._commands, []
        return given

    def _keep_time(self) -> None:
        """Do all that is due."""
        if self._has_come(self._ready_at):
            self._get_ready()
        if self._has_come(self._leaves_at):
            self._leave(self._lead_s, self._lead_s)
        self._play()
        if self._has_come(self._ends_at) and not self._is_over:
            self._close(1011, "Deadline expired before operation could complete.")

    def _has_come(self, at: float) -> bool:
        """Whether it is so late; infinity never comes, whatever the clock says."""
        return at <= self._now and at < math.inf

    # Setting up

    def _frame(self, payload: bytes) -> None:
        message, given = wire.read(payload)
        is_sound = message.realtime_input is not None and message.realtime_input.audio is not None
        is_kept = not is_sound and self._service.keeps(self.record, len(payload))
        if self._setup is None:
            if message.setup is None:
                raise RefusalError(1007, "The first message must be setup.")
            setup = given["setup"]
            if is_kept and _json.is_object(setup):
                self.record.setup = dict(setup)
            self._set_up(message.setup)
            return
        if message.setup is not None:
            raise RefusalError(1007, "setup must be sent once, as the first message.")
        if self._ready_at < math.inf:
            raise RefusalError(1007, "Nothing may be sent before setupComplete.")
        if is_kept:
            self.record.messages.append(given)
        if message.client_content is not None:
            self._client_content(message.client_content)
        if message.realtime_input is not None:
            self._realtime_input(message.realtime_input)
        if message.tool_response is not None:
            self._tool_response(message.tool_response)
        if message.context_update is not None:
            self._context_update(message.context_update)

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
        self._tools = setup.tools or []
        history = setup.history_config
        self._is_seeding = bool(history and history.initial_history_in_client_content)
        self._ear = Ear(checks.silence_s(setup, self._profile))
        self._ready_at = self._now + self._options.setup_delay_s

    def _get_ready(self) -> None:
        self._ready_at = math.inf
        self._ends_at = self._now + self._options.link_life_s
        self._leaves_at = self._ends_at - self._lead_s
        self._send({"setupComplete": {}})

    @property
    def _lead_s(self) -> float:
        return min(GO_AWAY_S, self._options.link_life_s / 2)

    @property
    def _is_manual(self) -> bool:
        detection = self._settings.realtime_input_config.automatic_activity_detection
        return bool(detection and detection.disabled)

    @property
    def _settings(self) -> wire.Setup:
        return self._setup or wire.Setup()

    # What the client says

    def _client_content(self, content: wire.ClientContent) -> None:
        checks.check_turns(content, self._profile, is_seeding=self._is_seeding)
        turns = [turn for turn in content.turns if turn.role != "model"]
        self._unasked += [part.text for turn in turns for part in turn.parts if part.text]
        checks.check_context(self._unasked)
        if not self._is_seeding:
            self._interrupt()
        if not content.turn_complete:
            return
        if self._is_seeding:
            self._is_seeding = False
            self._remember(*self._unasked)
            self._unasked.clear()
            return
        self._ask()

    def _realtime_input(self, realtime: wire.RealtimeInput) -> None:
        checks.check_realtime(realtime, self._profile)
        is_active = self._by_hand is not None
        checks.check_activity(realtime, is_manual=self._is_manual, is_active=is_active)
        sounds = [blob for blob in realtime.media_chunks or () if not checks.is_image(blob)]
        for blob in [realtime.audio, *sounds]:
            if blob is not None:
                self._hear(wire.bytes_of(blob), checks.rate_of(blob))
        if realtime.text is not None:
            self._unasked.append(realtime.text)
            checks.check_context(self._unasked)
            if not is_active:
                self._interrupt_by_activity()
                self._ask()
        if realtime.audio_stream_end and self._profile.hears_stream_end:
            ended = self._ear.finish()
            if ended is not None:
                self._speech_ended(ended)
        if realtime.activity_start is not None:
            self._interrupt_by_activity()
            self._by_hand = bytearray()
        if realtime.activity_end is not None:
            heard, self._by_hand = bytes(self._by_hand or b""), None
            if heard:
                self._speech_ended(Speech(heard, self._by_hand_rate))
            elif self._unasked:
                self._ask()

    def _hear(self, heard: bytes, rate: int) -> None:
        if self._service.keeps(self.record, len(heard)):
            self.record.audio += heard
        if self._by_hand is not None:
            room = MAX_SPEECH_S * 2 * rate - len(self._by_hand)
            self._by_hand += heard[: max(0, room)]
            self._by_hand_rate = rate
        if self._is_manual:
            return
        for found in self._ear.hear(heard, rate):
            if found is None:
                self._interrupt_by_activity()
            else:
                self._speech_ended(found)

    def _interrupt_by_activity(self) -> None:
        if self._settings.realtime_input_config.activity_handling != "NO_INTERRUPTION":
            self._interrupt()

    def _speech_ended(self, heard: Speech) -> None:
        self._interrupt_by_activity()
        text = transcript_of(heard, self._options.recordings)
        if self._settings.input_audio_transcription is not None:
            self._send(answers.content(inputTranscription={"text": text}))
        self._prompt_tokens += round(heard.seconds * _TOKENS_PER_S)
        self._unasked.append(text)
        self._ask(heard)

    def _tool_response(self, response: wire.ToolResponse) -> None:
        checks.check_tool_response(response, self._calls, self._profile)
        results = [(one, self._calls[one.id]) for one in response.function_responses]
        for one, asked in results:
            said = answers.say(
                asked, f"The tool said: {_json.encode(one.response or {}).decode()}"
            )
            if one.id == self._awaited:
                del self._calls[one.id]
                self._awaited = ""
                self._resume(itertools.chain(said, self._beats))
                continue
            if not one.will_continue:
                self._calls.pop(one.id, None)
            if one.scheduling == "INTERRUPT":
                self._interrupt()
            if one.scheduling != "SILENT":
                self._begin(itertools.chain(said, [answers.Complete()]))

    def _context_update(self, update: wire.ContextUpdate) -> None:
        if update.system_instruction is not None:
            checks.check_instruction(update.system_instruction)
        if update.tools is not None:
            checks.check_tools(update.tools.tools, self._profile)
            self._tools = update.tools.tools

    def _remember(self, *texts: str) -> None:
        self._said = (*self._said, *(text[:_MAX_SAID_CHARS] for text in texts))[-_MAX_SAID:]

    # What the model says

    def _ask(self, heard: Speech | None = None) -> None:
        """Begin to answer all that was said, or let the answer wait for its turn."""
        text = " ".join(self._unasked)
        self._unasked.clear()
        has_tools = any(tool.function_declarations for tool in self._tools)
        name, rest = answers.choose(text, self._options.scenario, has_tools=has_tools)
        asked = Asked(
            text=text,
            rest=rest,
            history=self._said,
            speaks=self._speaks,
            transcribes=self._settings.output_audio_transcription is not None,
            heard=heard,
        )
        self._remember(text)
        self._prompt_tokens += len(text.split())
        self._begin(answers.PLAYS[name].play(asked))

    def _begin(self, beats: Iterator[Beat]) -> None:
        if self._is_answering:
            self._waiting.append(beats)
            return
        self._is_answering = True
        if self._settings.session_resumption is not None:
            self._send({"sessionResumptionUpdate": {}})
        self._resume(beats)

    def _resume(self, beats: Iterator[Beat]) -> None:
        self._beats = beats
        self._due = self._now
        self._advance()

    def _advance(self) -> None:
        """Take the next beat, and set when it is due."""
        self._next = None if self._awaited else next(self._beats, None)
        match self._next:
            case answers.Message(after_s=after_s):
                self._due += after_s * self._options.pace
            case answers.Complete(is_announced=is_announced):
                if is_announced:
                    self._send(answers.content(generationComplete=True))
                self._due = max(self._due, self._played_at)
            case _:
                pass

    def _play(self) -> None:
        """Do all beats that are due."""
        while self._next is not None and self._due <= self._now:
            beat, self._next = self._next, None
            match beat:
                case answers.Message(json=json, sound_s=sound_s, words=words, is_text=is_text):
                    self._count(sound_s, words)
                    self._send(json, is_text=is_text)
                case answers.Complete(extra=extra, sound_s=sound_s):
                    self._count(sound_s, 0)
                    self._complete(extra)
                case answers.Call():
                    self._call(beat)
                case answers.Hang():
                    self._stop()
                case answers.Cut():
                    self._interrupt()
                case answers.Leave(after_s=after_s):
                    self._leave(after_s, after_s * self._options.pace)
                case answers.End(code=code, reason=reason):
                    self._close(code, reason)
                case _:
                    assert_never(beat)
            self._advance()
            if self._waiting and not self._is_answering:
                self._begin(self._waiting.popleft())

    def _count(self, sound_s: float, words: int) -> None:
        """Note how much was said, and until when it plays."""
        self._sound_s += sound_s
        self._words += words
        self._played_at = max(self._played_at, self._due) + sound_s * self._options.pace

    def _call(self, call: answers.Call) -> None:
        self._call_count += 1
        call_id = f"call-{self._number}-{self._call_count}"
        self._calls[call_id] = call.asked
        if len(self._calls) > _MAX_CALLS:
            del self._calls[next(iter(self._calls))]
        made = {"id": call_id, "name": call.name, "args": call.args}
        self._send({"toolCall": {"functionCalls": [made]}})
        if checks.is_blocking(call.name, self._tools, self._profile):
            self._awaited = call_id
        else:
            self._beats = itertools.chain(
                answers.say(call.asked, "One moment, please."), self._beats
            )

    def _complete(self, extra: Mapping[str, object]) -> None:
        """End the turn; the model is idle then, unless it says that it is not."""
        said: dict[str, object] = {"turnComplete": True}
        if self._profile.thinking is Thinking.LEVEL_REQUIRED:
            said["interactionStatus"] = "IDLE"
        said.update(extra)
        self._send({"serverContent": said, "usageMetadata": self._usage()})
        if said.get("interactionStatus") == "IN_PROGRESS":
            return
        self._stop()
        if self._settings.session_resumption is not None:
            handle = self._service.new_handle(self._profile.name, self._said, self._now)
            update = {"newHandle": handle, "resumable": True}
            self._send({"sessionResumptionUpdate": update})

    def _interrupt(self) -> None:
        """Stop an answer that is running: what has not left yet never does."""
        if not self._is_answering:
            return
        self._waiting.clear()
        self._played_at = -math.inf
        self._send(answers.content(interrupted=True))
        if self._calls:
            self._send({"toolCallCancellation": {"ids": [*self._calls]}})
            self._calls.clear()
        self._complete({})

    def _stop(self) -> None:
        self._is_answering = False
        self._awaited = ""
        self._next, self._beats = None, iter(())

    def _usage(self) -> Mapping[str, object]:
        prompt, self._prompt_tokens = self._prompt_tokens, 0
        answer = round(self._sound_s * _TOKENS_PER_S) or self._words
        modality = "AUDIO" if self._sound_s else "TEXT"
        self._sound_s, self._words = 0.0, 0
        return {
            "promptTokenCount": prompt,
            "responseTokenCount": answer,
            "totalTokenCount": prompt + answer,
            "responseTokensDetails": [{"modality": modality, "tokenCount": answer}],
        }

    # The connection

    def _send(self, json: Mapping[str, object], *, is_text: bool = False) -> None:
        self._commands.append(Send(_json.encode(json), is_text))

    def _leave(self, announced_s: float, lasts_s: float) -> None:
        """Announce the end of the link."""
        self._send({"goAway": {"timeLeft": f"{announced_s:g}s"}})
        self._leaves_at = math.inf
        self._ends_at = min(self._ends_at, self._now + lasts_s)

    def _close(self, code: int, reason: str) -> None:
        cut = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        self._commands.append(Abort() if code == _ABORTED else Close(code, cut))
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._stop()
        self._waiting.clear()
        self._service.closed(self.record)
