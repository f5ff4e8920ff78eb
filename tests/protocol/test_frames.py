"""The client's JSON: every form of every frame, and every way to get it wrong."""

import base64

import pytest

from livegate.protocol import Limits, audio, frames
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.frames import Frame, FunctionResponse

LIMITS = Limits()
PCM = b"AAEAAQ=="


def sound(*names: str, rate: int | None = None) -> frames.Audio:
    """Return two samples, and what was said of them."""
    return frames.Audio(PCM, is_base64=True, declared=audio.Declared(names, rate))


B64_48K = '{"type":"audio","data":{"b64":"AAEAAQ==","sample_rate":48000,"mime_type":"audio/pcm;rate=8000"}}'


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('{"type":"message","data":{"text":"hi"}}', frames.Text("hi")),
        ('{"type":"message","data":"hi"}', frames.Text("hi")),
        ('{"type":"message","text":"hi"}', frames.Text("hi")),
        ('{"type":"text","text":"hi"}', frames.Text("hi")),
        ('{"type":"text","data":{"text":"hi","more":1}}', frames.Text("hi")),
        ('{"type":"text","data":"hi"}', frames.Text("hi")),
        ('{"type":"text","text":"\\u00e9\\n","mime_type":5}', frames.Text("é\n")),
        ('{"type":"audio","data":"AAEAAQ=="}', sound()),
        ('{"type":"audio","data":"AAEAAQ\\u003d="}', sound()),
        ('{"type":"audio","data":"AAEAAQ==","mime_type":null}', sound()),
        (
            '{"type":"audio","data":"AAEAAQ==","mime_type":"audio/pcm; rate=8000"}',
            sound("pcm", rate=8000),
        ),
        ('{"type":"audio","data":{"data":"AAEAAQ=="}}', sound()),
        (
            '{"type":"audio","data": {"base64":"AAEAAQ==","mimeType":"audio/L16;rate=44100"}}',
            sound("l16", rate=44100),
        ),
        (B64_48K, sound("pcm", rate=48000)),
        ('{"type":"audio","data":{"b64":"AAEAAQ==","codec":"PCM_S16LE"}}', sound("pcm_s16le")),
        ('{"type":"audio","data":{"b64":"AAEAAQ==","sample_rate":8000}}', sound(rate=8000)),
        (
            '{"type":"audio","data":{"b64":"AAEAAQ==","format":"webm"},"mime_type":"audio/ogg"}',
            sound("ogg", "webm"),
        ),
        (
            '{"type":"audio","data":"data:audio/webm;codecs=vp8,opus;base64,AAEAAQ=="}',
            sound("webm"),
        ),
        ('{"type":"audio","data":"data:;base64,AAEAAQ=="}', sound()),
        ('{"type":"audio","data":""}', frames.Audio(b"", is_base64=True)),
        (
            '{"type":"audio","data":"data:audio/webm;base64,"}',
            frames.Audio(b"", is_base64=True, declared=audio.Declared(("webm",))),
        ),
        ('{"type":"audio_end"}', frames.AudioEnd()),
        ('{"type":"activity_start"}', frames.ActivityStart()),
        ('{"type":"activity_end","extra":[]}', frames.ActivityEnd()),
        ('{"type":"image","data":"/9j/2Q=="}', frames.Image("/9j/2Q==", "image/jpeg")),
        (
            '{"type":"video","data":"/9j/2Q==","mime_type":"image/png"}',
            frames.Image("/9j/2Q==", "image/png"),
        ),
        (
            '{"type":"image","data":{"b64":"/9j/2Q=="},"mime_type":"image/png"}',
            frames.Image("/9j/2Q==", "image/png"),
        ),
        (
            '{"type":"image","data":{"data":"/9j/2Q==","mimeType":"image/jpeg"},"mime_type":"x"}',
            frames.Image("/9j/2Q==", "image/jpeg"),
        ),
        ('{"type":"interrupt"}', frames.Interrupt()),
        ('{"type":"ping"}', frames.Ping(None)),
        ('{"type":"ping","data":[1,{"a":null}]}', frames.Ping([1, {"a": None}])),
        ('{"type":"config"}', frames.ConfigFrame({})),
        ('{"type":"config","data":{"a":{"b":1}}}', frames.ConfigFrame({"a": {"b": 1}})),
        (
            '{"type":"config","model":"m","text":"t"}',
            frames.ConfigFrame({"model": "m", "text": "t"}),
        ),
        (
            '{"type":"tool_response","data":{"id":"1","response":{"r":1}}}',
            frames.ToolResponse((FunctionResponse("1", None, {"r": 1}),)),
        ),
        (
            '{"type":"tool_response","data":[{"id":"1","name":"f","response":{},"scheduling":"SILENT","will_continue":true}]}',
            frames.ToolResponse((FunctionResponse("1", "f", {}, "SILENT", will_continue=True),)),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_decode(raw: str, expected: Frame) -> None:
    """Each accepted form of a frame means what the protocol says."""
    assert frames.decode(raw.encode(), LIMITS) == expected


DEEP = "[" * 33 + "]" * 33
ABYSS = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("raw", "code", "said"),
    [
        ("", ErrorCode.BAD_JSON, "string"),
        ("not json", ErrorCode.BAD_JSON, "malformed"),
        ('{"type":"text","text":"hi"} x', ErrorCode.BAD_JSON, "trailing"),
        ("[]", ErrorCode.BAD_JSON, "object"),
        ('"text"', ErrorCode.BAD_JSON, "object"),
        ("{}", ErrorCode.BAD_JSON, "type"),
        ('{"type":7}', ErrorCode.BAD_JSON, "type"),
        ('{"type":null}', ErrorCode.BAD_JSON, "type"),
        ('{"type":"ping","data":NaN}', ErrorCode.BAD_JSON, "invalid"),
        ('{"type":"ping","data":Infinity}', ErrorCode.BAD_JSON, "invalid"),
        ('{"type":"ping","data":"\ud800"}', ErrorCode.BAD_FRAME, "utf-8"),
        ('{"type":"text","text":"\\ud800"}', ErrorCode.BAD_JSON, ""),
        (f'{{"type":"ping","data":{ABYSS}}}', ErrorCode.BAD_JSON, "recursion"),
        (f'{{"a":{ABYSS},"type":"ping"}}', ErrorCode.BAD_JSON, "recursion"),
        (
            '{"type":"dance"}',
            ErrorCode.UNKNOWN_TYPE,
            "unknown type 'dance': expected one of config, message",
        ),
        ('{"type":"\\u202e\\n"}', ErrorCode.UNKNOWN_TYPE, "'\\u202e\\n'"),
        ('{"type":"%s"}' % ("x" * 999), ErrorCode.UNKNOWN_TYPE, "..."),
        ('{"type":"text"}', ErrorCode.BAD_FRAME, "text.text is empty"),
        ('{"type":"message","data":{}}', ErrorCode.BAD_FRAME, "message.text is empty"),
        ('{"type":"text","text":" \\n"}', ErrorCode.BAD_FRAME, "is empty"),
        ('{"type":"text","text":7}', ErrorCode.BAD_FRAME, "text.text: Expected `str`"),
        ('{"type":"text","text":null}', ErrorCode.BAD_FRAME, "text.text"),
        ('{"type":"text","data":[1]}', ErrorCode.BAD_FRAME, "text.data"),
        ('{"type":"text","data":{"text":7}}', ErrorCode.BAD_FRAME, "text.data"),
        (
            '{"type":"text","text":"a\\u0000b\\u0000"}',
            ErrorCode.BAD_FRAME,
            "NUL character at position 1",
        ),
        ('{"type":"audio"}', ErrorCode.AUDIO_FORMAT, "audio.data is missing"),
        ('{"type":"audio","data":{}}', ErrorCode.AUDIO_FORMAT, "audio.data is missing"),
        (
            '{"type":"audio","data":"AA!="}',
            ErrorCode.AUDIO_FORMAT,
            "audio.data is not base64: '!=' at position 2",
        ),
        (
            '{"type":"image","data":"AA!="}',
            ErrorCode.AUDIO_FORMAT,
            "image.data is not base64: '!=' at position 2",
        ),
        ('{"type":"audio","data":7}', ErrorCode.BAD_FRAME, "audio.data: Expected `str`"),
        ('{"type":"audio","data":{"data":7}}', ErrorCode.BAD_FRAME, "audio.data"),
        ('{"type":"audio","data":{"sample_rate":"fast"}}', ErrorCode.BAD_FRAME, "sample_rate"),
        ('{"type":"audio","data":"AAAA","mime_type":5}', ErrorCode.BAD_FRAME, "audio.mime_type"),
        ('{"type":"audio","data":"AA@AAAAA"}', ErrorCode.AUDIO_FORMAT, "'@AA' at position 2"),
        ('{"type":"audio","data":"AAéA"}', ErrorCode.AUDIO_FORMAT, "at position 2"),
        ('{"type":"audio","data":"AA-_"}', ErrorCode.AUDIO_FORMAT, "'-_' at position 2"),
        ('{"type":"audio","data":"A==="}', ErrorCode.AUDIO_FORMAT, "'===' at position 1"),
        (
            '{"type":"audio","data":"AAAAA"}',
            ErrorCode.AUDIO_FORMAT,
            "5 characters are not a multiple of 4",
        ),
        (
            '{"type":"image","data":"/9j/2Q==","mime_type":"image/tiff"}',
            ErrorCode.BAD_FRAME,
            "got 'image/tiff'",
        ),
        (
            '{"type":"image","data":"/9j/2Q==","mime_type":5}',
            ErrorCode.BAD_FRAME,
            "image.mime_type",
        ),
        (
            '{"type":"image","data":"/9j/2Q==","mime_type":"x"}',
            ErrorCode.BAD_FRAME,
            "image.mime_type must be image/jpeg or image/png, got 'x'",
        ),
        ('{"type":"image"}', ErrorCode.AUDIO_FORMAT, "image.data is empty"),
        ('{"type":"image","data":{}}', ErrorCode.AUDIO_FORMAT, "image.data is empty"),
        ('{"type":"image","data":7}', ErrorCode.BAD_FRAME, "image.data: Expected `str`"),
        ('{"type":"image","data":{"data":7}}', ErrorCode.BAD_FRAME, "image.data: Expected"),
        (
            '{"type":"config","data":[]}',
            ErrorCode.BAD_FRAME,
            "config.data must be an object, got []",
        ),
        ('{"type":"config","data":null}', ErrorCode.BAD_FRAME, "got None"),
        (f'{{"type":"config","data":{{"a":{DEEP}}}}}', ErrorCode.TOO_LARGE, "deeper than 32"),
        (f'{{"type":"config","a":{DEEP}}}', ErrorCode.TOO_LARGE, "config nests deeper than 32"),
        (
            '{"type":"config","data":{"a":"%s"}}' % ("x" * 65536),
            ErrorCode.TOO_LARGE,
            "config.data may hold 65536 bytes, got 65544",
        ),
        (f'{{"type":"ping","data":{DEEP}}}', ErrorCode.TOO_LARGE, "ping.data nests deeper"),
        (
            '{"type":"ping","data":"%s"}' % ("x" * 1023),
            ErrorCode.TOO_LARGE,
            "ping.data may hold 1024 bytes, got 1025",
        ),
        ('{"type":"ping","data":1e400}', ErrorCode.BAD_FRAME, "ping.data"),
        (
            '{"type":"text","text":"%s"}' % ("x" * 262144),
            ErrorCode.TOO_LARGE,
            "a 'text' frame may hold 262144 bytes, got 262169",
        ),
        ('{"type":"tool_response"}', ErrorCode.BAD_FRAME, "tool_response.data"),
        (
            '{"type":"tool_response","data":[]}',
            ErrorCode.BAD_FRAME,
            "tool_response.data is an empty",
        ),
        (
            '{"type":"tool_response","data":{"response":{}}}',
            ErrorCode.BAD_FRAME,
            "tool_response.data: Object missing required field `id`",
        ),
        ('{"type":"tool_response","data":{"id":"1"}}', ErrorCode.BAD_FRAME, "`response`"),
        (
            '{"type":"tool_response","data":{"id":"1","response":[]}}',
            ErrorCode.BAD_FRAME,
            "response",
        ),
        (
            '{"type":"tool_response","data":{"id":"1","response":{},"scheduling":"SOON"}}',
            ErrorCode.BAD_FRAME,
            "data.scheduling must be one of SILENT, WHEN_IDLE, INTERRUPT, got 'SOON'",
        ),
        (
            f'{{"type":"tool_response","data":{{"id":"1","response":{{"a":{DEEP}}}}}}}',
            ErrorCode.TOO_LARGE,
            "deeper",
        ),
        ('{"type":"resume","data":{}}', ErrorCode.BAD_FRAME, "missing required field `session`"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_decode_refuses(raw: str, code: ErrorCode, said: str) -> None:
    """What means nothing is refused with a stable code and a sentence that names the culprit."""
    with pytest.raises(RemoteProtocolError) as caught:
        frames.decode(raw.encode("utf-8", "surrogatepass"), LIMITS)
    assert (caught.value.code, said in caught.value.message) == (code, True), caught.value.message
    assert len(caught.value.message) < 500


@pytest.mark.parametrize("raw", [b"\xff", b'{"type":"\xff"}', b'{"type":"text","text":"\xff"}'])
def test_decode_refuses_bytes(raw: bytes) -> None:
    """A text frame that is no UTF-8 is refused."""
    with pytest.raises(RemoteProtocolError) as caught:
        frames.decode(raw, LIMITS)
    assert caught.value.code in (ErrorCode.BAD_JSON, ErrorCode.BAD_FRAME)


def test_media_type_of_no_language() -> None:
    """What a `data:` URL calls its data need not be UTF-8: it is only looked at."""
    frame = frames.decode(b'{"type":"audio","data":"data:\xff;base64,AAEAAQ=="}', LIMITS)
    assert frame == sound("\ufffd")


def test_decode_large() -> None:
    """A frame may hold 16 MiB if it is audio, and not a byte more."""
    room = LIMITS.frame_bytes - len('{"type":"audio","data":""}')
    fits = b'{"type":"audio","data":"%b"}' % (b"A" * (room // 8 * 8))
    assert isinstance(frames.decode(fits, LIMITS), frames.Audio)
    for decode in (frames.decode, frames.decode_binary):
        with pytest.raises(
            RemoteProtocolError, match=r"^a frame may hold 16777216 bytes, got 16777217"
        ) as caught:
            decode(bytes(LIMITS.frame_bytes + 1), LIMITS)
        assert caught.value.code is ErrorCode.TOO_LARGE


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (bytes(4), bytes(4)),
        (b"RIFF\x00\x00\x00\x00WAVE!", b"RIFF\x00\x00\x00\x00WAVE"),
        (b"", b""),
    ],
)
def test_decode_binary(payload: bytes, expected: bytes) -> None:
    """A binary frame is sound that nothing is said of; its first bytes are shown."""
    frame = frames.decode_binary(payload, LIMITS)
    assert frame == frames.Audio(payload, is_base64=False)
    assert (frame.content, frame.head) == (payload, expected)
    encoded = frames.Audio(base64.b64encode(payload), is_base64=True)
    assert (encoded.content, encoded.head) == (payload, expected)


@pytest.mark.parametrize(
    ("limit", "most", "raw"),
    [
        ("frame_bytes", 27, '{"type":"text","text":"hi"}'),
        ("control_frame_bytes", 27, '{"type":"text","text":"hi"}'),
        ("ping_bytes", 6, '{"type":"ping","data":"1234"}'),
        ("free_json_bytes", 6, '{"type":"ping","data":"1234"}'),
        ("free_json_depth", 2, '{"type":"ping","data":[{"a":1}]}'),
    ],
)
def test_limit(limit: str, most: int, raw: str) -> None:
    """A limit is the most that is taken."""
    frames.decode(raw.encode(), Limits(**{limit: most}))
    with pytest.raises(RemoteProtocolError) as caught:
        frames.decode(raw.encode(), Limits(**{limit: most - 1}))
    assert caught.value.code is ErrorCode.TOO_LARGE


def test_limit_binary() -> None:
    """The limit of a frame holds for a binary one."""
    frames.decode_binary(bytes(4), Limits(frame_bytes=4))
    with pytest.raises(RemoteProtocolError, match="a frame may hold 3 bytes, got 4"):
        frames.decode_binary(bytes(4), Limits(frame_bytes=3))
