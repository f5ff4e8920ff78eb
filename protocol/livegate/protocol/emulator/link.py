"""One connection to the emulated Gemini, as a pure state machine."""

import itertools
import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, assert_never

from livegate.protocol import _json
from livegate.protocol.emulator import answers, checks, wire
from livegate.protocol.emulator.answers import Asked
from livegate.protocol.emulator.events import (
    Abort,
    Close,
    Command,
    DeadlineReached,
    Event,
    Frame,
    Gone,
    Pinged,
    Pong,
    Send,
)
from livegate.protocol.emulator.faults import Fate, Faults
from livegate.protocol.emulator.memory import (
    Picture,
    Place,
    Record,
    Result,
    Session,
    Text,
    Turn,
)
from livegate.protocol.emulator.model import TOKENS_PER_S, Model
from livegate.protocol.emulator.service import Hello, Service
from livegate.protocol.emulator.speech import MAX_SPEECH_S, Ear, Speech, transcript_of
from livegate.protocol.emulator.wire import RefusalError

_REASON_BYTES: Final = 123  # RFC 6455 section 5.5: what a close frame has room for
_ABORTED: Final = 1006
_EXPIRED: Final = "Deadline expired before operation could complete."
_MAX_SAID: Final = 200
_MAX_SAID_CHARS: Final = 1_000
_MAX_PINGS: Final = 1_000


class Link:
    """One connection: `handle` what happens, do what it answers, come back at `deadline`."""

    def __init__(self, service: Service, hello: Hello) -> None:
        self._service = service
        self._options = service.options
        self._hello = hello
        self.record: Record = service.opened(hello)
        self._model = Model(self, self.record.number, self._options.pace)
        self._commands: list[Command] = []
        self._now = 0.0
        self._is_over = False
        self._ready_at = math.inf
        self._leaves_at = math.inf
        """When goAway goes out."""
        self._ends_at = math.inf
        self._fate: Fate | None = None
        self._doomed_at = math.inf
        self._pings: deque[tuple[float, bytes]] = deque(maxlen=_MAX_PINGS)
        """When to answer each."""
        # What the setup says
        self._setup: wire.Setup | None = None
        self._session = Session(0, "")
        """That of nobody, until setupComplete."""
        self._speaks = True
        # What the client said
        self._is_kept = False
        """Whether there is room in the record for what has just come."""
        self._ear = Ear(0.0)
        self._by_hand: bytearray | None = None
        """What is heard between activityStart and activityEnd."""
        self._by_hand_rate = 0
        self._is_hearing = False
        """Whether somebody is speaking who has not been answered yet."""
        self._heard_bytes = 0
        """How much of the record's audio came before that."""
        self._is_seeding = False
        self._seeded: list[Turn] = []
        self._roles: list[str | None] = []
        """Of the initial history."""
        self._said: tuple[Turn, ...] = ()
        self._unasked: list[Turn] = []
        """Text that turnComplete or activityEnd has not followed yet."""
        self._asked_items: int | None = None
        """How many items of the record had been heard before that, if there is any."""

    @property
    def deadline(self) -> float | None:
        """When to handle `DeadlineReached`, or None."""
        if self._is_over:
            return None
        soonest = min(
            self._model.due,
            self._ready_at,
            self._leaves_at,
            self._ends_at,
            self._doomed_at,
            self._session.ends_at,
            self._pings[0][0] if self._pings else math.inf,
        )
        return None if soonest == math.inf else soonest

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take note of what happened and return what to do. No payload raises anything."""
        if isinstance(event, Gone):
            self.record.is_connected = False
        if self._is_over:
            return []
        self._now = self._model.now = now
        try:
            match event:
                case Frame(payload=payload):
                    self._frame(payload)
                case Pinged(payload=payload):
                    if (delay_s := self._service.faults.pong_delay_s) < math.inf:
                        self._pings.append((now + delay_s, payload))
                case Gone():
                    self._end()
                case DeadlineReached():
                    pass
                case _:
                    assert_never(event)
            self._keep_time()
        except RefusalError as refusal:
            self._close(refusal)
        given, self._commands = self._commands, []
        return given

    def _keep_time(self) -> None:
        """Do all that is due.

        Raises:
            RefusalError: The link's end is.
        """
        if self._has_come(self._ready_at):
            self._get_ready()
        if self._has_come(self._leaves_at):
            self._announce(self._lead_s, self._lead_s)
        self._model.play()
        while self._pings and self._has_come(self._pings[0][0]):
            self._commands.append(Pong(self._pings.popleft()[1]))
        if self._fate is not None and self._has_come(self._doomed_at):
            raise RefusalError(self._fate.code, self._fate.reason)
        if self._has_come(min(self._ends_at, self._session.ends_at)):
            raise RefusalError(1011, _EXPIRED)

    def _has_come(self, at: float) -> bool:
        """Whether it is so late; infinity never comes, whatever the clock says."""
        return at <= self._now and at < math.inf

    # Setting up

    def _frame(self, payload: bytes) -> None:
        message, given = wire.read(payload)
        is_sound = message.realtime_input is not None and message.realtime_input.audio is not None
        self._is_kept = not is_sound and self._service.keeps(self.record, len(payload))
        if self._setup is None:
            if message.setup is None:
                raise RefusalError(1007, "The first message must be setup.")
            setup = given["setup"]
            if self._is_kept and _json.is_object(setup):
                self.record.setup = dict(setup)
            self._set_up(message.setup)
            return
        if message.setup is not None:
            raise RefusalError(1007, "setup must be sent once, as the first message.")
        if self._ready_at < math.inf:
            raise RefusalError(1007, "Nothing may be sent before setupComplete.")
        if self._is_kept:
            self.record.messages.append(given)
        if self._is_seeding:
            self._await_history(message)
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
        profile = self._model.profile = checks.profile_for(setup.model, version)
        self._speaks = checks.modality_of(setup, profile) == "AUDIO"
        checks.check_settings(setup, profile)
        if setup.session_resumption is not None and setup.session_resumption.handle:
            self._go_on_from(setup.session_resumption.handle)
        self._setup = setup
        self._model.tools = setup.tools or []
        history = setup.history_config
        self._is_seeding = bool(history and history.initial_history_in_client_content)
        self._ear = Ear(checks.silence_s(setup, profile))
        self._fate = self._service.faults.take_fate()
        self._ready_at = self._now + self._options.setup_delay_s

    def _go_on_from(self, name: str) -> None:
        """Resume a conversation, or refuse to."""
        handle = self._service.handle(name, self._now)
        if handle is None:
            raise RefusalError(1008, "BidiGenerateContent session not found")
        session = handle.session
        if session.model != self._model.profile.name or self._has_come(session.ends_at):
            raise wire.invalid()
        if self._service.is_lingering(session) and self._service.faults.refuses_resume():
            raise RefusalError(1011, "Internal error encountered.")
        self._said = handle.said
        self.record.follows = handle

    def _get_ready(self) -> None:
        self._ready_at = math.inf
        if self._fate is not None:
            if self._fate.after_s is None:
                raise RefusalError(self._fate.code, self._fate.reason)
            self._doomed_at = self._now + self._fate.after_s
        self._ends_at = self._now + self._options.aged(self._options.link_life_s)
        self._leaves_at = self._ends_at - self._lead_s
        follows, model = self.record.follows, self._model.profile.name
        self._session = self.record.session = (
            follows.session if follows else self._service.begin_session(model, self._now)
        )
        self.send({"setupComplete": {}})

    @property
    def _lead_s(self) -> float:
        return self._options.aged(min(self._options.go_away_s, self._options.link_life_s / 2))

    @property
    def _is_manual(self) -> bool:
        detection = self._settings.realtime_input_config.automatic_activity_detection
        return bool(detection and detection.disabled)

    @property
    def _settings(self) -> wire.Setup:
        return self._setup or wire.Setup()

    # What the client says

    def _await_history(self, message: wire.ClientMessage) -> None:
        """Refuse what comes before the end of the initial history, or begin without an end."""
        checks.check_awaited(message, self._model.profile)
        if message.realtime_input is None:
            return
        self._is_seeding = False
        if message.realtime_input.text is not None:
            self._remember(*self._seeded)
        else:  # users of 2.5: who speaks first is not known what was not completed
            self.record.unhear_seed()
        self._seeded.clear()

    def _client_content(self, content: wire.ClientContent) -> None:
        profile = self._model.profile
        checks.check_turns(content, profile, is_seeding=self._is_seeding)
        parts = [(turn.role or "user", part) for turn in content.turns for part in turn.parts]
        texts = [(role, part.text) for role, part in parts if part.text]
        held = self._seeded if self._is_seeding else self._unasked
        checks.check_context([text for _, text in held + texts])
        if not self._is_seeding:
            self._model.interrupt()
            self._hold()
        for role, part in parts:
            if part.text:
                self._note(Text(part.text, self.record.number, role, self._is_seeding))
            if part.inline_data is not None and checks.is_image(part.inline_data):
                blob = part.inline_data
                self._note(Picture(blob.data, blob.mime_type, self.record.number))
        held += texts
        if self._is_seeding:
            self._roles += [turn.role for turn in content.turns]
            if content.turn_complete:
                checks.check_history(self._roles, profile)
                self._is_seeding = False
                self._remember(*self._seeded)
                self._seeded.clear()
        elif content.turn_complete:
            self._ask()

    def _realtime_input(self, realtime: wire.RealtimeInput) -> None:
        checks.check_realtime(realtime, self._model.profile)
        is_active = self._by_hand is not None
        checks.check_activity(realtime, is_manual=self._is_manual, is_active=is_active)
        pieces = realtime.media_chunks or ()
        for blob in [realtime.video, *filter(checks.is_image, pieces)]:
            if blob is not None:
                self._note(Picture(blob.data, blob.mime_type, self.record.number))
        for blob in [realtime.audio, *itertools.filterfalse(checks.is_image, pieces)]:
            if blob is not None:
                self._hear(wire.bytes_of(blob), checks.rate_of(blob))
        if realtime.text is not None and not self._service.faults.misses_text():
            self._hear_text(realtime.text, is_active=is_active)
        if realtime.audio_stream_end and self._model.profile.hears_stream_end:
            ended = self._ear.finish()
            if ended is not None:
                self._speech_ended(ended)
        if realtime.activity_start is not None:
            self._interrupt_by_activity()
            self._by_hand = bytearray()
            self._listen()
        if realtime.activity_end is not None:
            heard, self._by_hand = bytes(self._by_hand or b""), None
            if heard:
                self._speech_ended(Speech(heard, self._by_hand_rate))
            elif self._unasked:
                self._ask()
            self._is_hearing = False

    def _hear_text(self, text: str, *, is_active: bool) -> None:
        checks.check_context([*(said for _, said in self._unasked), text])
        if not is_active:
            self._interrupt_by_activity()
        self._hold()
        self._note(Text(text, self.record.number))
        self._unasked.append(("user", text))
        if not is_active:
            self._ask()

    def _hear(self, heard: bytes, rate: int) -> None:
        before = len(self.record.audio)
        if self._service.keeps(self.record, len(heard)):
            self.record.hear_sound(heard, rate)
        if self._by_hand is not None:
            room = MAX_SPEECH_S * 2 * rate - len(self._by_hand)
            self._by_hand += heard[: max(0, room)]
            self._by_hand_rate = rate
        if self._is_manual:
            return
        for found in self._ear.hear(heard, rate):
            if found is None:
                self._listen(before)
                self._interrupt_by_activity()
            else:
                self._speech_ended(found)
                before = len(self.record.audio)

    def _listen(self, since: int | None = None) -> None:
        """Take note that somebody has begun to speak, whom no handle covers until he is answered."""
        self._is_hearing = True
        self._heard_bytes = len(self.record.audio) if since is None else since

    def _interrupt_by_activity(self) -> None:
        if self._settings.realtime_input_config.activity_handling != "NO_INTERRUPTION":
            self._model.interrupt()

    def _speech_ended(self, heard: Speech) -> None:
        self._interrupt_by_activity()
        text = transcript_of(heard, self._options.recordings)
        if self._settings.input_audio_transcription is not None:
            self.send(answers.content(inputTranscription={"text": text}))
        self._model.prompt_tokens += round(heard.seconds * TOKENS_PER_S)
        self._unasked.append(("user", text))
        self._is_hearing = False
        self._ask(heard)

    def _tool_response(self, response: wire.ToolResponse) -> None:
        self._model.take_results(response)
        for one in response.function_responses:
            self._note(Result(one.id, one.response, self.record.number))

    def _context_update(self, update: wire.ContextUpdate) -> None:
        if update.system_instruction is not None:
            checks.check_instruction(update.system_instruction)
        if update.tools is not None:
            checks.check_tools(update.tools.tools, self._model.profile)
            self._model.tools = update.tools.tools

    def _ask(self, heard: Speech | None = None) -> None:
        """Begin to answer all that was said, or let the answer wait for its turn."""
        text = " ".join(said for role, said in self._unasked if role == "user")
        has_tools = any(tool.function_declarations for tool in self._model.tools)
        name, rest = answers.choose(text, self._options.scenario, has_tools=has_tools)
        asked = Asked(
            text=text,
            rest=rest,
            history=self._said,
            speaks=self._speaks,
            transcribes=self._settings.output_audio_transcription is not None,
            heard=heard,
        )
        for role, turn in itertools.groupby(self._unasked, lambda one: one[0]):
            self._remember((role, " ".join(said for _, said in turn)))
        self._unasked.clear()
        self._asked_items = None
        self._model.prompt_tokens += len(text.split())
        self._model.begin(answers.PLAYS[name].play(asked))

    # What is remembered

    def _remember(self, *turns: Turn) -> None:
        cut = ((role, text[:_MAX_SAID_CHARS]) for role, text in turns)
        self._said = (*self._said, *cut)[-_MAX_SAID:]

    def _hold(self) -> None:
        """Take note of where something begins that may have to wait until it is asked about."""
        if self._asked_items is None:
            self._asked_items = self.record.place.items

    def _note(self, item: Text | Picture | Result) -> None:
        if self._is_kept:
            self.record.hear(item)

    # What the model has its link do

    def send(self, json: Mapping[str, object], *, is_text: bool = False) -> None:
        """Send a message, unless the link has fallen silent."""
        if not self._model.is_mute:
            self._commands.append(Send(_json.encode(json), is_text))

    def begun(self) -> None:
        """Take note that an answer begins: there is nothing to go on from."""
        if self._settings.session_resumption is not None:
            self.send({"sessionResumptionUpdate": {}})

    def said(self, text: str) -> None:
        """Take note of what was answered."""
        if text:
            self._remember(("model", text))
            if self._service.keeps(self.record, len(text)):
                self.record.hear(Text(text, self.record.number, "model"))

    def ended(self) -> None:
        """Take note that the model is idle: give a handle to go on from."""
        if self._settings.session_resumption is None:
            return
        end = self.record.place
        place = Place(
            end.items if self._asked_items is None else self._asked_items,
            self._heard_bytes if self._is_hearing else end.audio_bytes,
        )
        handle = self._service.new_handle(self.record, self._session, place, self._said, self._now)
        self.send({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}})

    def leave(self, after_s: float) -> None:
        """Announce the link's end, and end it then, whatever is asked until then."""
        announced_s = self._options.aged(after_s)
        self._announce(announced_s, announced_s * self._options.pace)

    def arrange(self, change: Callable[[Faults, Session, float], object]) -> None:
        """Change what goes wrong, in the service or in this conversation."""
        change(self._service.faults, self._session, self._now)

    # The connection

    def _announce(self, announced_s: float, lasts_s: float) -> None:
        self.send({"goAway": {"timeLeft": f"{announced_s:g}s"}})
        self._leaves_at = math.inf
        self._ends_at = min(self._ends_at, self._now + lasts_s)

    def _close(self, refusal: RefusalError) -> None:
        cut = refusal.reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        self._commands.append(Abort() if refusal.code == _ABORTED else Close(refusal.code, cut))
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._model.stop()
        self._service.closed(self.record)
