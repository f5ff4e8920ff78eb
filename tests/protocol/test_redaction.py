"""What a journal leaves out: nothing secret is left, and a replay answers the same."""

import base64
import json
from collections.abc import Mapping
from typing import Final

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from livegate.protocol import Limits, Session, SessionOptions, commands, inputs
from livegate.protocol.commands import Command, Event, Level
from livegate.protocol.inputs import Input
from livegate.protocol.redaction import Redaction, comparable
from recorder import recorded, replayed

KEY: Final = "AIzaCanaryCanaryCanaryCanaryCanary4711"
HANDLE: Final = "HandleCanary-0815_HandleCanary"
TOKEN: Final = "TokenCanary.4711.TokenCanary"  # noqa: S105 - nobody's
SOUND: Final = bytes(range(1, 256)) * 40
REDACTION: Final = Redaction(api_key=KEY, salt=b"salt")
KEEPING: Final = Redaction(keeps_media=True, api_key=KEY, salt=b"salt")
LIMITS: Final = Limits(high_water=10**9, upstream_chunk_chars=1024)

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_STARTS: Final = ("", "GkXfo59C", "UklGRgAA", "AAAAIGZ0eXBpc29t", "SUQz", "1234567890")

# Base64 as people write it: in pieces, escaped, in lines, for URLs, as a data: URL, or wrong.
_runs: Final = st.tuples(st.sampled_from(_STARTS), st.integers(0, 700), st.integers(0, 2**32)).map(
    lambda drawn: drawn[0] + _run(drawn[1], drawn[2])
)
_base64: Final = st.one_of(
    _runs,
    _runs.map(lambda run: run[: len(run) // 4 * 4]),
    st.binary(max_size=600).map(lambda sound: base64.b64encode(sound).decode()),
    st.binary(min_size=300, max_size=600).map(lambda sound: base64.encodebytes(sound).decode()),
    st.binary(max_size=600).map(lambda sound: base64.urlsafe_b64encode(sound).decode()),
    st.tuples(_runs, st.sampled_from(["@", "=", ",", "\u00e9", "\n", "-"]), _runs).map("".join),
    _runs.map(lambda run: f"data:audio/webm;codecs=vp8,opus;base64,{run}"),
)
_secrets: Final = st.one_of(
    st.just(TOKEN), st.text(max_size=40), st.text("ab\u00e9\u0416\u20ac'\"\\", max_size=100), _runs
)
_names: Final = st.sampled_from(
    ["token", "access_token", "apiKey", "Authorization", "x-goog-api-key", "password", "session"]
)
_texts: Final = st.one_of(
    st.text(max_size=20),
    _base64,
    st.tuples(st.text(max_size=5), _runs, st.text(max_size=5)).map("".join),
    st.tuples(_names, _secrets).map(lambda one: f'say "{one[0]}": "{one[1]}", please'),
    st.tuples(_names, _secrets).map(lambda one: f"say '{one[0]}': '{one[1]}', please"),
    st.dictionaries(_names, _secrets, max_size=2).map(json.dumps),
)


def _object(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return objects with these fields, or with some of them."""
    return st.fixed_dictionaries(fields) | st.fixed_dictionaries({}, optional=fields)


def _frame(type_: str, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return frames of a type."""
    return st.fixed_dictionaries({"type": st.just(type_)}, optional=fields)


_free: Final[st.SearchStrategy[object]] = st.recursive(
    _texts | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(_names | st.sampled_from(["data", "inlineData", "type"]), inner)
    ),
    max_leaves=4,
)
_media: Final = st.sampled_from(["audio", "image", "video"]).flatmap(
    lambda type_: _frame(
        type_,
        data=_base64 | _object(data=_base64, b64=_base64, mime_type=_texts, codec=_texts),
        mime_type=st.sampled_from(["audio/pcm;rate=24000", "image/png"]) | _texts,
    )
)
_settings: Final = st.sampled_from(
    ["model", "voice", "system_instruction", "tools", "app", "language", "temperature"]
)
_frames: Final[st.SearchStrategy[object]] = st.one_of(
    _media,
    _media,
    _frame(
        "config",
        data=st.dictionaries(_settings | _names | _texts, _free, max_size=3),
        system_instruction=_texts,
        generation_config=_free,
    ),
    _frame("text", text=_texts),
    _frame("message", data=_texts),
    _frame("ping", data=_free),
    _frame(
        "tool_response",
        data=_object(
            id=st.just("c") | _texts, response=st.dictionaries(_names, _free, max_size=2)
        ),
    ),
    st.fixed_dictionaries({"type": _texts, "data": _free}),
)
_parts: Final = _object(
    text=_texts, inlineData=_object(mimeType=st.just("audio/pcm"), data=_base64)
)
_said: Final[st.SearchStrategy[object]] = st.one_of(
    _object(
        serverContent=_object(
            modelTurn=_object(parts=st.lists(_parts, max_size=3)),
            turnComplete=st.booleans(),
            outputTranscription=_object(text=_texts),
        )
    ),
    _object(
        toolCall=_object(
            functionCalls=st.lists(_object(id=st.just("c"), name=_texts, args=_free), max_size=2)
        )
    ),
    _object(
        sessionResumptionUpdate=_object(
            newHandle=_runs | st.just(HANDLE), resumable=st.just(value=True)
        )
    ),
    _object(usageMetadata=_free),
)


def _run(length: int, seed: int) -> str:
    """Return characters of base64 that look like chance."""
    return "".join(_ALPHABET[(seed * (at + 7) ** 2 >> 5) % 64] for at in range(length))


@st.composite
def _written(draw: st.DrawFn, values: st.SearchStrategy[object]) -> bytes:
    """Return JSON as one of many libraries writes it, or damaged."""
    text = json.dumps(
        draw(values), ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
    )
    way = draw(st.sampled_from(["plain", "plain", "php", "c#", "damaged", "bytes"]))
    if way == "php":
        text = text.replace("/", "\\/")
    elif way == "c#":
        text = text.replace("+", "\\u002B")
    elif way == "damaged":
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(["", '"', "x", "}"])) + text[at + 1 :]
    payload = text.encode("utf-8", "surrogatepass")
    return payload.replace(b"e", b"\xe9", 1) if way == "bytes" else payload


_events: Final[st.SearchStrategy[Input]] = st.one_of(
    _written(_frames).map(lambda payload: inputs.ClientFrame(1, payload, is_text=True)),
    st.binary(max_size=900).map(lambda sound: inputs.ClientFrame(1, sound, is_text=False)),
    _written(_said).map(lambda payload: inputs.UpstreamFrame(1, payload)),
)


class Conversation:
    """A session that is told things, each a moment after the other, by perfect sockets."""

    def __init__(self, audio: Mapping[str, object] | None = None) -> None:
        self.options = SessionOptions(limits=LIMITS)
        self._session = Session(self.options, seed=7)
        self._now = 100.0
        self._link = 0
        self.history: list[tuple[Input, float, list[Command]]] = []
        self._session.start(self._now)
        self.tell(inputs.ClientOpened(1))
        data = {"events": "all", "response_modalities": ["AUDIO"], "audio": audio}
        first = json.dumps({"type": "config", "data": data}).encode()
        self.tell(inputs.ClientFrame(1, first, is_text=True))

    def tell(self, event: Input) -> None:
        """Tell it one thing, and open and set up each link that it asks for."""
        if isinstance(event, inputs.UpstreamFrame | inputs.UpstreamGone):
            event = attrs.evolve(event, link=self._link)
        self._now += 0.01
        given = self._session.handle(event, self._now)
        self.history.append((event, self._now, given))
        for command in given:
            if isinstance(command, commands.OpenUpstream):
                self._link = command.link
                self.tell(inputs.UpstreamOpened(self._link))
                self.tell(inputs.UpstreamFrame(self._link, b'{"setupComplete":{}}'))
        if isinstance(event, inputs.UpstreamGone) and self._session.deadline is not None:
            self._now = self._session.deadline  # another attempt may have to wait
            self.tell(inputs.DeadlineReached())

    def lines(self, redaction: Redaction) -> list[bytes]:
        """Return its journal."""
        return recorded(self.options, 7, 100.0, self.history, redaction)


LABEL: Final = json.dumps({"type": "config", "data": {"app": f'say "token": "{TOKEN}", please'}})


_DELIVERIES: Final[tuple[Mapping[str, object] | None, ...]] = (
    None,
    {"format": "wav"},
    {"format": "wav", "per": "piece", "encoding": "binary"},
    {"per": "turn", "encoding": "binary"},
)


@given(
    st.lists(_events | st.just(inputs.UpstreamGone(1)), max_size=6),
    st.sampled_from([REDACTION, KEEPING]),
    st.sampled_from(_DELIVERIES),
)
@example(
    [inputs.ClientFrame(1, b'{"type":"text","token":"\\ux01f"}', is_text=True)], KEEPING, None
)
@example([inputs.UpstreamFrame(1, b'{"inlineData":{"data":"\\u12x4"}}')], REDACTION, None)
@example([inputs.ClientFrame(1, LABEL.encode(), is_text=True)], KEEPING, None)
def test_replay_is_equal(
    events: list[Input], redaction: Redaction, audio: Mapping[str, object] | None
) -> None:
    """Whatever was left out, a session that is told the rest answers the same."""
    conversation = Conversation(audio)
    for event in events:
        conversation.tell(event)
    assert replayed(conversation.lines(redaction)) is None


@given(_events)
@example(inputs.ClientFrame(1, b'{"type":"audio","data":"A,%b"}' % (b"B" * 40), is_text=True))
@example(inputs.ClientFrame(1, b"1" * 200 + b"x" * 200, is_text=True))
def test_lengths(event: Input) -> None:
    """An input is as long as it was, and of the same kind."""
    for redaction in (REDACTION, KEEPING):
        redacted = redaction.input(event)
        assert isinstance(redacted, inputs.ClientFrame | inputs.UpstreamFrame)
        assert isinstance(event, inputs.ClientFrame | inputs.UpstreamFrame)
        assert len(redacted.payload) == len(event.payload)
        assert type(redacted) is type(event)


@given(_written(_frames) | _written(_said) | st.binary(max_size=400), st.booleans())
def test_comparable_once(payload: bytes, keeps_media: bool) -> None:  # noqa: FBT001 - as given
    """To compare twice is to compare once."""
    text = payload.decode("latin-1")
    for command in (
        commands.SendClient(1, payload),
        commands.SendClient(1, payload, is_text=False),
        commands.SendUpstream(1, payload),
        commands.Log(Level.INFO, Event.UPSTREAM_LOST, {"reason": text, "code": 1}),
    ):
        once = comparable(command, keeps_media=keeps_media)
        assert comparable(once, keeps_media=keeps_media) == once


def _told(audio: Mapping[str, object] | None = None) -> Conversation:
    """Return a conversation with a secret in every place that may have one."""
    conversation = Conversation(audio)
    sound = base64.b64encode(SOUND).decode()
    call = {"id": "c", "name": "f", "args": {"token": TOKEN}}
    parts = [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": sound}}]
    frames: list[dict[str, object]] = [
        {"type": "config", "data": {"token": TOKEN, "tools": [{"google_search": True}]}},
        {"type": "config", "data": {"voice": {"api_key": TOKEN}}},
        {"type": "config", "data": {"app": f"'token': '{TOKEN}'"}},
        {"type": "text", "text": f"my key is {KEY}"},
        {"type": "text", "text": json.dumps({"password": TOKEN})},
        {"type": "ping", "data": {"Authorization": f"Bearer {TOKEN}"}},
        {"type": "resume", "data": {"session": TOKEN, "seq": 1}},
        {"type": "audio", "data": sound},
        {"type": "audio", "data": {"b64": sound, "sample_rate": 48000}},
        {"type": "audio", "data": f"data:audio/pcm;base64,{sound}"},
        {"type": "image", "data": sound},
    ]
    for frame in frames:
        payload = json.dumps(frame).encode()
        conversation.tell(inputs.ClientFrame(1, payload, is_text=True))
    conversation.tell(inputs.ClientFrame(1, SOUND, is_text=False))
    conversation.tell(inputs.ClientFrame(1, b'{"type":"audio_end"}', is_text=True))
    for message in (
        {"serverContent": {"modelTurn": {"parts": parts}}},
        {"toolCall": {"functionCalls": [call]}},
        {"toolCallCancellation": {"ids": ["c"]}},
        {"serverContent": {"turnComplete": True}},
        {"serverContent": {"turnComplete": True}},
        {"sessionResumptionUpdate": {"newHandle": HANDLE, "resumable": True}},
    ):
        conversation.tell(inputs.UpstreamFrame(1, json.dumps(message).encode()))
    conversation.tell(inputs.ClientFrame(1, b'{"type":"config","temperature":1}', is_text=True))
    conversation.tell(inputs.ClientGone(1, 4000, f"bye {KEY}"))
    return conversation


def _sounds_given(conversation: Conversation) -> int:
    """Return how many frames with sound the client gets."""
    given = [one for _, _, some in conversation.history for one in some]
    return sum(isinstance(one, commands.SendClient) and one.turn > 0 for one in given)


@pytest.mark.parametrize("is_text", [True, False])
@pytest.mark.parametrize("beginning", [b"RIFF\1\2\3\4WAVE", b"\x1a\x45\xdf\xa3", b"\1\2\3\4ftyp"])
def test_beginning_in_two_frames(beginning: bytes, *, is_text: bool) -> None:
    """A recording whose first bytes come in two frames is known on replay, but for the last."""
    for cut in range(5 if beginning[0] == 1 else 1, len(beginning) - 1):
        conversation = Conversation(None)
        for piece in (beginning[:cut], beginning[cut:] + SOUND):
            payload = b'{"type":"audio","data":"%b"}' % base64.b64encode(piece)
            conversation.tell(inputs.ClientFrame(1, payload if is_text else piece, is_text))
        assert any(isinstance(one, commands.Decode) for one in conversation.history[-1][2])
        assert replayed(conversation.lines(REDACTION)) is None


@pytest.mark.parametrize("audio", _DELIVERIES)
def test_nothing_secret_is_left(audio: Mapping[str, object] | None) -> None:
    """The key, a handle, a client's token and samples of sound are nowhere in a journal."""
    conversation = _told(audio)
    given = str(conversation.history)
    assert all(canary in given for canary in (KEY, HANDLE, TOKEN))
    journal = b"".join(conversation.lines(REDACTION)).decode()
    for canary in (KEY, HANDLE, TOKEN):
        assert canary not in journal
    assert _sounds_given(conversation) == 1
    for shift in range(3):
        encoded = base64.b64encode(SOUND[shift:]).decode()
        assert not [at for at in range(0, 400, 4) if encoded[at : at + 16] in journal]
    assert replayed(conversation.lines(REDACTION)) is None


@pytest.mark.parametrize("audio", _DELIVERIES)
def test_kept_media(audio: Mapping[str, object] | None) -> None:
    """Where media are kept, they are all there, and still no secrets."""
    conversation = _told(audio)
    journal = b"".join(conversation.lines(KEEPING)).decode()
    assert journal.count(base64.b64encode(SOUND).decode()[:800]) > 4
    assert not [canary for canary in (KEY, HANDLE, TOKEN) if canary in journal]
    assert replayed(conversation.lines(KEEPING)) is None


@pytest.mark.parametrize("size", [30, 300, 3000])
@pytest.mark.parametrize("redaction", [REDACTION, KEEPING])
def test_resume_tokens(redaction: Redaction, size: int) -> None:
    """A resume token is nowhere in a journal, however long: not as given, not as brought back."""
    token = "lgr1_" + base64.urlsafe_b64encode(SOUND[:size]).decode().rstrip("=")
    brought = b'{"type":"resume","data":{"session":"%b","seq":4}}' % token.encode()
    given_ = b'{"type":"session","token":"%b","resumable":true}' % token.encode()
    event = redaction.input(inputs.ClientFrame(1, brought, is_text=True))
    command = redaction.command(commands.SendClient(1, given_))
    assert isinstance(event, inputs.ClientFrame)
    assert isinstance(command, commands.SendClient)
    for before, after in ((brought, event.payload), (given_, command.payload)):
        assert len(before) == len(after)
        pieces = [token[at : at + 8] for at in range(len(token) - 8)]
        assert not [piece for piece in pieces if piece.encode() in after]


def test_pseudonyms() -> None:
    """A handle is known again where it is given out, and differs between journals."""
    handles: list[str] = []
    for salt in (b"one", b"two"):
        lines = _told().lines(Redaction(salt=salt))
        (said,) = [line for line in lines if b"newHandle" in line]
        *_, setup = (line for line in lines if b'{\\"setup\\":' in line)
        update = json.loads(json.loads(said)["input"]["payload"])
        handle = update["sessionResumptionUpdate"]["newHandle"]
        assert f'{{\\"handle\\":\\"{handle}\\"}}'.encode() in setup
        handles.append(handle)
    assert handles[0] != handles[1]
    assert [handle[12] for handle in handles] == ["-", "-"]


@pytest.mark.parametrize(
    "body", ["caf\u00e9 \u0416\u20ac\U0001f600", "\\u00e9\\u0041\\/\\n\\ud83d"]
)
def test_pseudonyms_of_any_text(body: str) -> None:
    """A pseudonym is as long as the secret, in bytes and when an error quotes it."""
    payload = f'{{"token":"{body}"}}'.encode()
    redacted = REDACTION.input(inputs.UpstreamFrame(1, payload))
    assert isinstance(redacted, inputs.UpstreamFrame)
    assert redacted.payload != payload
    before, after = (json.loads(one)["token"] for one in (payload, redacted.payload))
    assert len(ascii(before)) == len(ascii(after))


def test_told_again() -> None:
    """What was said is no secret's leak where Gemini has forgotten it, and is told of it again."""
    conversation = Conversation(None)
    for text in (json.dumps({"password": TOKEN}), f"my key is {KEY}"):
        frame = json.dumps({"type": "text", "text": text}).encode()
        conversation.tell(inputs.ClientFrame(1, frame, is_text=True))
    said = {"serverContent": {"outputTranscription": {"text": f"'token': '{TOKEN}'"}}}
    conversation.tell(inputs.UpstreamFrame(1, json.dumps(said).encode()))
    conversation.tell(inputs.UpstreamGone(1))
    assert sum(TOKEN in str(one) and KEY in str(one) for *_, one in conversation.history) == 1
    journal = b"".join(conversation.lines(REDACTION)).decode()
    assert "historyConfig" in journal
    assert not [canary for canary in (KEY, TOKEN) if canary in journal]
    assert replayed(conversation.lines(REDACTION)) is None


def test_other_inputs() -> None:
    """What carries no payload stays as it is, but for the key."""
    for event in (inputs.ClientOpened(1, "192.0.2.1"), inputs.DeadlineReached()):
        assert REDACTION.input(event) == event
    gone = REDACTION.input(inputs.UpstreamGone(1, 1008, f"no {KEY}"))
    assert gone == inputs.UpstreamGone(1, 1008, f"no {'x' * len(KEY)}")


def test_sound_is_no_secret() -> None:
    """Bytes of sound are left out or kept, but never searched for the key, as in an input."""
    given = commands.SendClient(1, KEY.encode(), is_text=False, turn=1)
    assert KEEPING.command(given) == given
    assert REDACTION.command(given) == attrs.evolve(given, payload=bytes(len(KEY)))


def test_decoded_sound() -> None:
    """What came of a recording is silence of the same length, unless media are kept."""
    given = inputs.Decoded(1, b"\1\0\2\0", 8000)
    assert KEEPING.input(given) == given
    assert REDACTION.input(given) == inputs.Decoded(1, bytes(4), 8000)
