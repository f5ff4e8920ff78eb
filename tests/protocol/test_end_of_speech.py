"""When the speaker has finished: Gemini hears of it once for each time, and at no other."""

import heapq
import json
import math
import struct
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count, groupby
from typing import Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wav_files
from livegate.protocol import Limits, Session, SessionOptions, audio, commands, inputs
from livegate.protocol.inputs import Side
from livegate.protocol.media.decoder import Decoder
from livegate.protocol.profiles import DEFAULT_MODEL

HEARS_END: Final = "gemini-2.5-flash-native-audio-latest"
MODELS: Final = (DEFAULT_MODEL, HEARS_END)
"""One that needs silence, and one that is told."""
LIMITS: Final = Limits()
MOST_LATE_S: Final = 0.4
"""How far a slice may come before or behind its time."""
TAIL_S: Final = 0.02
"""How long after the sound comes what stands behind it in a file."""
SILENCE: Final = bytes(32_000)
END: Final = "end"


@attrs.frozen
class Utterance:
    """What somebody says at one go."""

    form: str
    """`wav` has no length, `file` has one, `tail` a chunk behind it; if it is no PCM anyway."""
    slice_s: float
    lateness_s: tuple[float, ...]
    """Of each slice."""
    says_end: bool
    """The client says that this was it; else it just stops."""
    silence_s: float
    """Until the next one."""
    in_one: bool
    """All of it comes in one frame, once it has been said."""

    @property
    def spoken_s(self) -> float:
        """How long it lasts."""
        return self.slice_s * len(self.lateness_s)

    @property
    def unheard_s(self) -> float:
        """How long it takes until its end is known, once the last of it has come."""
        if self.says_end or self.form in ("file", "tail"):
            return 0
        return (
            min(self.spoken_s if self.in_one else self.slice_s, LIMITS.slice_s)
            + LIMITS.flush_after_s
        )


forms: Final = st.sampled_from(["wav", "file", "tail"])
seconds: Final = st.integers(100, 2000).map(lambda ms: ms / 1000)
lateness: Final = st.integers(-400, 400).map(lambda ms: ms / 1000)
utterances: Final = st.builds(
    Utterance,
    form=forms,
    slice_s=seconds,
    lateness_s=st.lists(lateness, min_size=1, max_size=8).map(tuple),
    says_end=st.booleans(),
    silence_s=st.integers(10, 60).map(lambda tenths: tenths / 10),
    in_one=st.booleans(),
)
waits: Final = st.sampled_from([0.0, 0.05, 0.3])


class Conversation:
    """A session, its client, Gemini and a decoder, each as late as can be."""

    def __init__(
        self,
        model: str,
        dial_s: float,
        setup_s: float,
        decode_s: Sequence[float],
        limits: Limits = LIMITS,
    ) -> None:
        self._session = Session(SessionOptions(default_model=model, limits=limits), seed=0)
        self._decoder = Decoder()
        self._dial_s, self._setup_s, self._decode_s = dial_s, setup_s, decode_s
        self._steps = count()
        self._numbers = count()
        self._due: list[tuple[float, int, Callable[[], inputs.Input]]] = []
        self._unread: deque[inputs.Input] = deque()
        self.now = 0.0
        self.heard: list[tuple[str, int, float]] = []
        """What Gemini got: (the utterance's number or `end`, samples, when)."""
        self.errors: list[str] = []
        self.was_unread = False
        """A frame had to wait for the session: when it was sent, nobody can tell."""
        self._session.start(self.now)
        self._at(0.0, lambda: inputs.ClientOpened(1))

    def send(self, at: float, payload: bytes, *, is_text: bool) -> None:
        """Have the client send a frame then."""
        self._at(at, lambda: inputs.ClientFrame(1, payload, is_text))

    def run(self) -> None:
        """Let everything happen, in order, while the link lasts."""
        while self._due or self._deadline < LIMITS.link_age_s:
            deadline = self._deadline
            if not self._due or deadline <= self._due[0][0]:
                self.now = max(self.now, deadline)
                self._feed(inputs.DeadlineReached())
            else:
                self.now, _, event = heapq.heappop(self._due)
                self._happen(event())
            while self._unread and self._session.reading.client:
                self._feed(self._unread.popleft())
        self._decoder.close()

    @property
    def _deadline(self) -> float:
        deadline = self._session.deadline
        return math.inf if deadline is None else deadline

    def _at(self, at: float, event: Callable[[], inputs.Input]) -> None:
        heapq.heappush(self._due, (at, next(self._numbers), event))

    def _happen(self, event: inputs.Input) -> None:
        if isinstance(event, inputs.ClientFrame):
            self.was_unread |= not self._session.reading.client
            self._unread.append(event)
        else:
            self._feed(event)

    def _feed(self, event: inputs.Input) -> None:
        for command in self._session.handle(event, self.now):
            match command:
                case commands.OpenUpstream(link=link):
                    self._at(self.now + self._dial_s, lambda: inputs.UpstreamOpened(1))
                    assert link == 1
                case commands.SendUpstream(payload=payload):
                    self._hear(json.loads(payload))
                    self._feed(inputs.Sent(Side.UPSTREAM, 1, len(payload)))
                case commands.SendClient(payload=payload):
                    frame = json.loads(payload)
                    self.errors += [payload.decode()] if frame["type"] == "error" else []
                    self._feed(inputs.Sent(Side.CLIENT, 1, len(payload)))
                case commands.Decode():
                    answer = self._decoder.step(command)
                    late_s = self._decode_s[next(self._steps) % len(self._decode_s)]
                    self._at(self.now + late_s, partial(_itself, answer))
                case _:
                    pass

    def _hear(self, message: dict[str, dict[str, object]]) -> None:
        match message:
            case {"setup": _}:
                ready = inputs.UpstreamFrame(1, b'{"setupComplete":{}}')
                self._at(self.now + self._setup_s, lambda: ready)
            case {"realtimeInput": {"audioStreamEnd": True}}:
                self.heard.append((END, 0, self.now))
            case {"realtimeInput": {"audio": {"data": str(data)}}}:
                pcm = audio.decode(data)
                said = END if pcm == SILENCE else str(struct.unpack_from("<h", pcm)[0])
                assert said == END or len(set(struct.unpack(f"<{len(pcm) // 2}h", pcm))) == 1
                self.heard.append((said, len(pcm) // 2, self.now))
            case _:
                raise AssertionError(message)


def _itself(event: inputs.Input) -> inputs.Input:
    return event


def say(to: Conversation, number: int, said: Utterance, begin_at: float) -> float:
    """Have the client send all of it; return when the last of it has come."""
    size = int(said.slice_s * audio.INPUT_RATE)
    slices = [struct.pack("<h", number) * size for _ in said.lateness_s]
    if said.form != "pcm":
        sound = b"".join(slices)
        length = {"wav": 0, "file": len(sound), "tail": len(sound)}[said.form]
        slices[0] = (
            wav_files.wav(wav_files.fmt(), wav_files.chunk(b"data", size=length)) + slices[0]
        )
        if said.form == "tail":
            slices[-1] += b"LI"
            slices.append(b"ST" + bytes(40))
    came_at = begin_at
    if said.in_one:
        slices = [b"".join(slices)]
    for at, one in enumerate(slices):
        if at == len(said.lateness_s):
            came_at += TAIL_S
        else:
            due_at = begin_at + (said.spoken_s if said.in_one else (at + 1) * said.slice_s)
            came_at = max(came_at, due_at + said.lateness_s[at] + MOST_LATE_S)
        if said.form == "tail":
            frame = {"type": "audio", "mime_type": "audio/wav", "data": audio.encode(one)}
            to.send(came_at, json.dumps(frame).encode(), is_text=True)
        else:
            to.send(came_at, one, is_text=False)
    if said.says_end:
        to.send(came_at, b'{"type":"audio_end"}', is_text=True)
    return came_at


@given(
    st.sampled_from(MODELS),
    st.lists(utterances, min_size=1, max_size=4)
    | st.lists(utterances.map(lambda said: attrs.evolve(said, form="pcm")), max_size=4),
    st.sampled_from([0.0, 0.2, 4.0]),
    st.sampled_from([0.0, 0.2, 4.0]),
    st.lists(waits, min_size=1, max_size=7),
)
def test_end_of_speech(
    model: str,
    spoken: list[Utterance],
    dial_s: float,
    setup_s: float,
    decode_s: list[float],
) -> None:
    """However late slices, links and decoders are, each utterance has one end, where it ends."""
    talk = Conversation(model, dial_s, setup_s, decode_s)
    at = 0.1
    ended_at: list[float] = []
    for number, said in enumerate(spoken, 1):
        came_at = say(talk, number, said, at)
        ended_at.append(came_at + said.unheard_s)
        at = max(came_at + said.unheard_s, at + said.spoken_s) + said.silence_s
    talk.run()
    assert not talk.errors
    heard: list[tuple[str, int]] = []
    for what, samples, _ in talk.heard:
        if heard and heard[-1][0] == what != END:
            heard.append((what, samples + heard.pop()[1]))
        else:
            heard.append((what, samples))
    wanted = [
        one
        for number, said in enumerate(spoken, 1)
        for one in (
            (str(number), int(said.slice_s * audio.INPUT_RATE) * len(said.lateness_s)),
            (END, len(SILENCE) // 2 if model == DEFAULT_MODEL else 0),
        )
    ]
    if talk.was_unread:
        heard, wanted = (
            [one for at, one in enumerate(found, 1) if one[0] != END or at == len(found)]
            for found in (heard, wanted)
        )
    assert heard == wanted
    if not any((dial_s, setup_s, *decode_s)):
        assert [at for what, _, at in talk.heard if what == END] == pytest.approx(
            ended_at, abs=2 * TAIL_S
        )


@pytest.mark.parametrize("form", ["pcm", "wav"])
@pytest.mark.parametrize("says_end", [True, False])
def test_held_up(form: str, *, says_end: bool) -> None:
    """A client that is not read while Gemini is dialled is not thought to pause."""
    said = Utterance(form, 2.0, (0.0,) * 8, says_end=says_end, silence_s=3.0, in_one=False)
    short = Limits(high_water=96_000, low_water=48_000)
    talk = Conversation(HEARS_END, dial_s=8.0, setup_s=1.0, decode_s=[0.05], limits=short)
    came_at = say(talk, 1, said, 0.1)
    talk.run()
    assert [what for what, _, _ in talk.heard].index(END) == len(talk.heard) - 1
    assert came_at <= talk.heard[-1][2] < came_at + said.unheard_s + 1


def test_pause_seen_late() -> None:
    """Two recordings that waited for Gemini, with a pause between, are two utterances."""
    said = Utterance("wav", 0.5, (0.0,), says_end=False, silence_s=2.0, in_one=False)
    talk = Conversation(HEARS_END, dial_s=0.0, setup_s=6.0, decode_s=[0.0])
    came_at = say(talk, 1, said, 0.1)
    say(talk, 2, said, came_at + said.unheard_s + said.silence_s)
    talk.run()
    assert [what for what, _ in groupby(what for what, _, _ in talk.heard)] == ["1", END, "2", END]


def test_held_up_recording() -> None:
    """What comes late because the gateway did not read is no pause."""
    said = Utterance("wav", 1.0, (0.0,) * 6, says_end=False, silence_s=3.0, in_one=False)
    short = Limits(high_water=70_000, low_water=60_000)
    talk = Conversation(HEARS_END, dial_s=0.0, setup_s=9.0, decode_s=[0.05], limits=short)
    say(talk, 1, said, 0.1)
    talk.run()
    assert [what for what, _, _ in talk.heard].count(END) == 1
    assert talk.heard[-1][0] == END
