"""What a client may have to say, and every way in which it may write that as frames."""

import base64
import json
from typing import Any, Final, TypeAlias, assert_never

import attrs
from hypothesis import strategies as st

from livegate.protocol.media import kinds
from wishes import Json, Pen, free_objects


@attrs.frozen
class Words:
    """A turn of text."""

    text: str


@attrs.frozen
class Sound:
    """A piece of PCM."""

    pcm: bytes
    rate: int


@attrs.frozen
class Picture:
    """A still frame."""

    data: bytes
    mime_type: str


@attrs.frozen
class Ends:
    """The microphone is off."""


@attrs.frozen
class Spell:
    """What is said between the start and the end of an activity."""

    pieces: tuple[Sound, ...]


@attrs.frozen
class Results:
    """What functions returned."""

    responses: tuple[Json, ...]


Utterance: TypeAlias = Words | Sound | Picture | Ends | Spell | Results

_text = st.text(min_size=1, max_size=20).filter(lambda found: found.strip() and "\0" not in found)
_sounds = st.builds(
    Sound,
    st.binary(min_size=2, max_size=200)
    .map(lambda found: found[: len(found) // 2 * 2])
    .filter(lambda found: not (kinds.begins(found) or kinds.may_begin(found))),
    st.sampled_from([8_000, 16_000, 24_000, 44_100, 48_000, 192_000]),
)
_wild_json: Final[st.SearchStrategy[Any]] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_responses = st.fixed_dictionaries(
    {
        "id": st.text(max_size=9),
        "response": free_objects | st.dictionaries(st.text(max_size=5), _wild_json, max_size=2),
    },
    optional={
        "name": st.sampled_from(["get_weather", "a_b"]),
        "scheduling": st.sampled_from(["SILENT", "WHEN_IDLE", "INTERRUPT"]),
        "will_continue": st.booleans(),
    },
)
utterances: Final[st.SearchStrategy[Utterance]] = st.one_of(
    _text.map(Words),
    _sounds,
    st.builds(
        Picture,
        st.binary(min_size=1, max_size=40),
        st.sampled_from(["image/jpeg", "image/png"]),
    ),
    st.just(Ends()),
    st.lists(_sounds, max_size=2).map(tuple).map(Spell),
    st.lists(_responses, min_size=1, max_size=3).map(tuple).map(Results),
)


# ... as frames


def encoded(data: bytes) -> str:
    """Return bytes in the alphabet of base64 that clients and Gemini use."""
    return base64.b64encode(data).decode()


def as_frames(said: Utterance, pen: Pen) -> list[bytes]:
    """Return the frames of a client that says this."""

    def frame(*types_: str, **fields: object) -> bytes:
        return json.dumps({"type": pen.one_of(*types_), **fields}).encode()

    match said:
        case Words(text=words):
            return [
                pen.one_of(
                    frame("message", "text", data={"text": words}),
                    frame("message", "text", data=words),
                    frame("message", "text", text=words),
                )
            ]
        case Sound(pcm=pcm, rate=rate):
            data = pen.one_of(encoded(pcm), f"data:audio/pcm;base64,{encoded(pcm)}")
            mime_type = f"audio/pcm;rate={rate}"
            named = {pen.one_of("data", "base64", "b64"): data}
            declared = pen.one_of(
                {"sample_rate": rate}, {pen.one_of("mime_type", "mimeType"): mime_type}
            )
            return [
                pen.one_of(
                    frame("audio", data=data, mime_type=mime_type),
                    frame("audio", data={**named, **declared}),
                )
            ]
        case Picture(data=data, mime_type=mime_type):
            return [frame("image", "video", data=encoded(data), mime_type=mime_type)]
        case Ends():
            return [frame("audio_end")]
        case Spell(pieces=pieces):
            spoken = [one for piece in pieces for one in as_frames(piece, pen)]
            end = frame("activity_end", "audio_end")
            return [frame("activity_start"), *spoken, end]
        case Results(responses=results):
            is_single = len(results) == 1
            data = pen.one_of(results, results[0]) if is_single else results
            return [frame("tool_response", data=data)]
        case _:
            assert_never(said)
