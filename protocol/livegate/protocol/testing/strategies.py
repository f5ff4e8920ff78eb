"""What peers may say: hypothesis strategies for frames, configs and Gemini's messages."""

import base64
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs
from hypothesis import strategies as st

from livegate.protocol.frames import TYPES
from livegate.protocol.inputs import Fault
from livegate.protocol.profiles import VOICES
from livegate.protocol.testing.answers import Said
from livegate.protocol.testing.wishes import Wish
from livegate.protocol.transcript import ClientSends

# Name -> values, and the spellings that a client may use for it.
_VALUES: Final[Mapping[str, tuple[object, ...]]] = MappingProxyType(
    {
        "temperature": (0, 0.5, 1, 2),
        "top_p": (0.1, 0.9),
        "max_output_tokens": (1, 1000),
        "voice": ("Puck", "Kore"),
        "system_instruction": ("Be brief.", "Be polite."),
        "response_modalities": (["AUDIO"], ["TEXT"], ["TEXT", "AUDIO"]),
        "model": (
            "gemini-3.8-live",
            "gemini-live-2.5-flash",
            "gemini-2.0-flash-exp",
            "a-model-from-tomorrow",
        ),
        "vad": (True,),
        "resumable": (True, True, False),
        "events": (["all"], ["input_transcript", "usage"], ["thought", "generation_complete"]),
        "audio": (
            {"format": "wav"},
            {"per": "turn"},
            {"encoding": "binary"},
            {"format": "wav", "per": "piece"},
            {"format": "wav", "encoding": "binary"},
            {"per": "turn", "encoding": "binary"},
        ),
    }
)
_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "temperature": ("temperature", "generation_config.temperature"),
        "top_p": ("top_p", "topP", "generation_config.topP"),
        "max_output_tokens": (
            "max_tokens",
            "maxOutputTokens",
            "generation_config.max_output_tokens",
        ),
        "voice": ("voice", "voiceName"),
        "system_instruction": ("system_instruction", "systemInstruction"),
        "response_modalities": ("response_modalities", "generation_config.responseModalities"),
        "model": ("model",),
        "vad": ("vad", "automatic_activity_detection"),
        "resumable": ("resumable",),
        "events": ("events",),
        "audio": ("audio",),
    }
)
BAD_SETTINGS: Final[tuple[Mapping[str, object], ...]] = (
    {"temperature": 99},
    {"temperature": "warm"},
    {"voice": "Nobody"},
    {"max_output_tokens": -1},
    {"response_modalities": ["SMELL"]},
    {"generation_config": 7},
    {"temperature": 0.1, "generation_config": {"temperature": 0.2}},
    {"system_instruction": ""},
    {"audio": {"format": "mp3"}},
)


@attrs.frozen
class LinkEnd:
    """How Gemini ends a link, and what that means."""

    code: int
    reason: str
    kind: str


LINK_ENDS: Final = (
    LinkEnd(1006, "", "gone"),
    LinkEnd(1000, "The operation was cancelled.", "gone"),
    LinkEnd(1011, "Internal error encountered.", "gone"),
    LinkEnd(1011, "Deadline expired before operation could complete.", "gone"),
    LinkEnd(1007, "Request contains an invalid argument.", "refused"),
    LinkEnd(1008, "models/x is not found for API version v1beta", "model"),
    LinkEnd(1008, "BidiGenerateContent session not found", "forgotten"),
    LinkEnd(1007, "API key not valid. Please pass a valid API key.", "key"),
    LinkEnd(1011, "You exceeded your current quota, please check your plan", "quota"),
)

_FATAL_KINDS: Final = ("key", "quota")


def end_of(kind: str) -> LinkEnd:
    """Return the first way of a kind in which Gemini ends a link."""
    return next(end for end in LINK_ENDS if end.kind == kind)


def link_ends() -> st.SearchStrategy[LinkEnd]:
    """Return ways in which Gemini ends a link; seldom one that ends the session, too."""
    passing = [end for end in LINK_ENDS if end.kind not in _FATAL_KINDS]
    return st.sampled_from([*passing, *passing, *LINK_ENDS])


_json_scalars: Final = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
)
json_values: Final[st.SearchStrategy[object]] = st.recursive(
    _json_scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    """Return a config that Gemini could accept, with what it means."""
    names = draw(st.lists(st.sampled_from(sorted(_VALUES)), unique=True, max_size=4))
    data: dict[str, object] = {}
    inner: dict[str, object] = {}
    settings: dict[str, object] = {}
    keys: set[str] = set()
    for name in names:
        value = draw(st.sampled_from((*_VALUES[name], None)))
        said: object = {"disabled": True} if name == "vad" and value else value
        spellings = st.lists(st.sampled_from(_SPELLINGS[name]), min_size=1, max_size=2)
        for spelling in draw(spellings):
            group, _, key = spelling.rpartition(".")
            (inner if group else data)[key] = said
            keys.add(spelling)
        settings[name] = value
    if inner:
        data["generation_config"] = inner
    if draw(st.booleans()):
        data["a_key_from_tomorrow"] = draw(json_values)
        keys.add("a_key_from_tomorrow")
    return Wish(MappingProxyType(data), MappingProxyType(settings), frozenset(keys))


def forms() -> st.SearchStrategy[Wish]:
    """Return configs that say how sound is to come, or whether, and nothing else."""
    default = {"format": "pcm16"}
    values = (*_VALUES["audio"], None, default, default, default)
    asked: list[tuple[str, object]] = [("audio", value) for value in values]
    asked += [("response_modalities", ["TEXT"]), ("response_modalities", ["AUDIO"])]
    return st.sampled_from(asked).map(
        lambda one: Wish({one[0]: one[1]}, {one[0]: one[1]}, frozenset({one[0]}))
    )


def configs() -> st.SearchStrategy[dict[str, object]]:
    """Return the `data` of configs that Gemini could accept, in all their spellings."""
    return wishes().map(lambda wish: dict(wish.data))


def bad_configs() -> st.SearchStrategy[dict[str, object]]:
    """Return the `data` of configs that must be refused as a whole."""
    return st.tuples(configs(), st.sampled_from(BAD_SETTINGS)).map(
        lambda both: {"a_key_from_tomorrow": 1, **both[1]} if both[0] else dict(both[1])
    )


def text_frames(text: str) -> tuple[dict[str, object], ...]:
    """Return every way to ask with a text."""
    return (
        {"type": "text", "text": text},
        {"type": "text", "data": text},
        {"type": "text", "data": {"text": text}},
        {"type": "message", "text": text},
        {"type": "message", "data": text},
        {"type": "message", "data": {"text": text}},
    )


DECLARED: Final = 2
"""From here on, `sound_frames` say that they are PCM."""


def sound_frames(pcm: bytes) -> tuple[ClientSends, ...]:
    """Return every way to send a piece of PCM, at 16 kHz."""
    data = base64.b64encode(pcm).decode()
    return (
        ClientSends(pcm, is_text=False),
        frame(type="audio", data=data),
        frame(type="audio", data=f"data:audio/pcm;rate=16000;base64,{data}"),
        frame(type="audio", data={"b64": data, "mimeType": "audio/pcm;rate=16000"}),
        frame(type="audio", data={"data": data, "format": "pcm16", "sample_rate": 16_000}),
    )


def frame(**fields: object) -> ClientSends:
    """Return a text frame."""
    return ClientSends(json.dumps(fields).encode(), is_text=True)


NONSENSE: Final = tuple(
    ClientSends(payload, is_text)
    for payload, is_text in (
        (b"", True),
        (b"\xff\xfe", True),
        (b"[]", True),
        (b"null", True),
        (b'{"type":null}', True),
        (b'{"type":"text"', True),
        (b'{"type":"text","text":"  "}', True),
        (b'{"type":"text","text":"a\\u0000"}', True),
        (b'{"type":"text","text":"\\ud800"}', True),
        (b'{"type":"text","text":7}', True),
        (b'{"type":"text","text":"\xed\xa0\x80"}', True),
        (b'{"type":"ping","data":NaN}', True),
        (b'{"type":"ping","data":1e400}', True),
        (b'{"type":"ping","data":' + b"[" * 40 + b"]" * 40 + b"}", True),
        (b'{"type":"ping","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", True),
        (b'{"type":"ping","data":"' + b"x" * 2000 + b'"}', True),
        (b'{"type":"audio","data":"@"}', True),
        (b'{"type":"audio","data":"AAA"}', True),
        (b'{"type":"audio"}', True),
        (b'{"type":"audio","data":"AAAA","mime_type":5}', True),
        (b'{"type":"audio","data":{"b64":"AAA=","sample_rate":1}}', True),
        (b'{"type":"image","data":"AAAA","mime_type":"image/tiff"}', True),
        (b'{"type":"tool_response","data":{"id":"nobody","response":7}}', True),
        (b'{"type":"tool_response","data":[]}', True),
        (b'{"type":"config","data":[]}', True),
        (b'{"type":"config","data":"fast"}', True),
    )
)
"""Frames that must be answered with one `error`, whatever the session is doing."""


def nonsense() -> st.SearchStrategy[ClientSends]:
    """Return frames that must be answered with one `error`, whatever the session is doing."""
    return st.one_of(
        st.sampled_from(NONSENSE),
        st.binary(max_size=50).map(lambda junk: ClientSends(b"\x00" + junk, is_text=True)),
        st.text(max_size=20)
        .filter(lambda type_: type_ not in TYPES)
        .map(lambda type_: frame(type=type_)),
    )


def client_frames() -> st.SearchStrategy[ClientSends]:
    """Return valid frames of every type that a client may send, in all their forms."""
    words = st.text(min_size=1, max_size=30).filter(lambda text: text.strip() and "\0" not in text)
    samples = st.binary(min_size=1, max_size=200).map(lambda half: half + half)
    scheduling = st.sampled_from(["SILENT", "WHEN_IDLE", "INTERRUPT"])
    result = st.fixed_dictionaries(
        {"id": st.text(max_size=9), "response": st.dictionaries(st.text(max_size=5), json_values)},
        optional={"name": st.just("look_up"), "scheduling": scheduling},
    )
    return st.one_of(
        words.flatmap(lambda text: st.sampled_from([frame(**one) for one in text_frames(text)])),
        samples.flatmap(lambda pcm: st.sampled_from(sound_frames(pcm))),
        configs().map(lambda data: frame(type="config", data=data)),
        st.sampled_from(["audio_end", "activity_start", "activity_end", "interrupt"]).map(
            lambda type_: frame(type=type_)
        ),
        st.sampled_from(["image", "video"]).map(lambda type_: frame(type=type_, data="/9j/2Q==")),
        (result | st.lists(result, min_size=1, max_size=3)).map(
            lambda data: frame(type="tool_response", data=data)
        ),
        json_values.map(lambda data: frame(type="ping", data=data)),
    )


_words: Final = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
_sounds: Final = st.binary(min_size=2, max_size=40).map(
    lambda pcm: base64.b64encode(pcm[: len(pcm) // 2 * 2]).decode()
)


TIMES_LEFT_S: Final = (0.0, 3.0, 6.5, 10.0, 50.0, 60.0)
"""How soon Gemini may say that it will end a link, in seconds."""


def messages() -> st.SearchStrategy[Said]:
    """Return what Gemini may say on a link that is set up; call ids are `call-1` to `call-3`."""
    calls = st.lists(st.sampled_from(["call-1", "call-2", "call-3"]), unique=True, max_size=2)
    return st.builds(
        Said,
        sounds=st.lists(_sounds, max_size=2).map(tuple),
        rate=st.sampled_from([24_000, 24_000, 24_000, 16_000]),
        texts=st.lists(_words.filter(bool), max_size=2).map(tuple),
        thought=_words,
        transcript=_words,
        heard=_words | st.just(" "),
        calls=calls.map(tuple),
        cancelled=calls.map(tuple),
        is_interrupted=st.booleans(),
        is_generated=st.booleans(),
        is_complete=st.booleans(),
        usage=st.integers(0, 1000),
        handle=st.sampled_from(["", "", "handle-1", "handle-2"]),
        goes_away_s=st.sampled_from([*[None] * 12, *TIMES_LEFT_S]),
    )


def gemini_messages() -> st.SearchStrategy[bytes]:
    """Return messages of Gemini on a link that is set up, as they come on the wire."""
    return messages().map(Said.payload)


def gemini_nonsense() -> st.SearchStrategy[bytes]:
    """Return messages that are not the Live API's, or say nothing to anybody."""
    return st.one_of(
        st.sampled_from(
            [
                b"",
                b"\xff",
                b"[]",
                b'{"serverContent":[]}',
                b'{"serverContent":{}}',
                b'{"aKeyFromTomorrow":{"x":1}}',
                b'{"goAway":{"timeLeft":7}}',
                b'{"sessionResumptionUpdate":{}}',
                b'{"toolCall":{"functionCalls":[{"id":null}]}}',
            ]
        ),
        st.just(b'{"usageMetadata":' + b'{"a":' * 985 + b"1" + b"}" * 985 + b"}"),
        st.binary(max_size=50).map(lambda junk: b"\x00" + junk),
    )


def faults() -> st.SearchStrategy[Fault]:
    """Return reasons why Gemini could not be dialled; seldom one that ends the session."""
    return st.sampled_from(
        [fault for fault in Fault if fault is not Fault.FORBIDDEN] * 2 + [*Fault]
    )


def voices() -> st.SearchStrategy[str]:
    """Return the names of Gemini's voices."""
    return st.sampled_from(VOICES)


_SOUND: Final = Wish(
    {"response_modalities": ["AUDIO"]},
    {"response_modalities": ["AUDIO"]},
    frozenset({"response_modalities"}),
)
_ALL: Final = Wish(
    {"response_modalities": ["TEXT", "AUDIO"], "events": "all"},
    {"response_modalities": ["TEXT", "AUDIO"], "events": ["all"]},
    frozenset({"response_modalities", "events"}),
)
_FILES: Final[Mapping[str, object]] = {
    "response_modalities": ["AUDIO"],
    "audio": {"format": "wav"},
}
_BYTES: Final[Mapping[str, object]] = {
    "response_modalities": ["AUDIO"],
    "audio": {"per": "turn", "encoding": "binary"},
}
BY_HAND: Final = Wish({"vad": {"disabled": True}}, {"vad": True}, frozenset({"vad"}))
"""The client takes turns by hand."""
FIRST: Final = (
    *(None, _SOUND, _ALL, BY_HAND),
    *(Wish(asked, asked, frozenset(asked)) for asked in (_FILES, _BYTES)),
)
"""What a client may configure before all else, so that rare paths are not that rare."""


def returning(wish: Wish | None = None, *, may_return: bool) -> Wish:
    """Return a config that asks for the same, and says whether the client may come back."""
    first = wish or Wish({}, {}, frozenset())
    asked = {"resumable": may_return}
    keys = first.keys | asked.keys()
    return Wish({**first.data, **asked}, {**first.settings, **asked}, keys)
