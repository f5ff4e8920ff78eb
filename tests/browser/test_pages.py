"""The two example pages in a real browser."""

from __future__ import annotations

import base64
import json
import math
import re
import struct
import wave
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect

from sound import likeness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import Locator, Page, WebSocket, WebSocketRoute

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "gemini_live_demo.html"
DEBUG = ROOT / "examples" / "debug_test.html"
SPEECH = ROOT / "runtimes" / "livegate" / "recordings" / "hello.wav"
HTML = '<img src=x onerror="window.__x=1"><script>window.__x=1</script>'
RATE = 24_000
CHUNK = RATE * 40 // 1000  # samples

pytestmark = pytest.mark.browser


class Gateway(Protocol):
    """What these tests need of the `gateway` fixture."""

    http_url: str
    ws_url: str
    port: int


class Frames(NamedTuple):
    """The JSON frames that went over a page's WebSocket."""

    sent: list[dict[str, object]]
    received: list[dict[str, object]]


def record(page: Page) -> Frames:
    """Keep every frame of the WebSockets that the page opens from now on."""
    frames = Frames([], [])

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda payload: frames.sent.append(json.loads(payload)))
        socket.on("framereceived", lambda payload: frames.received.append(json.loads(payload)))

    page.on("websocket", listen)
    return frames


def pcm(frames: Iterable[dict[str, object]]) -> array[int]:
    """Join the sound of the `audio` frames among these."""
    pieces = (str(frame["data"]) for frame in frames if frame["type"] == "audio")
    return array("h", b"".join(base64.b64decode(piece) for piece in pieces))


def connect(page: Page) -> None:
    """Press Connect and wait for it."""
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("Connected")


def type_message(page: Page, text: str) -> None:
    """Type a message and send it."""
    page.get_by_label("Message").fill(text)
    page.get_by_label("Message").press("Enter")


def answer(page: Page) -> Locator:
    """Find the last answer, once it is whole."""
    return page.locator("#log[aria-busy=false] .answer").last


def wait_until(page: Page, condition: str) -> None:
    """Wait for a condition on the demo page's debug object, called `it`."""
    page.wait_for_function(f"() => {{ const it = window.livegate; return {condition}; }}")


def tap(page: Page) -> None:
    """Keep what the connected demo page plays from now on."""
    page.evaluate(
        """async ({ loudspeaker: { context, meter } }) => {
            const worklet = () => registerProcessor("tap", class extends AudioWorkletProcessor {
                process([[block]]) {
                    if (block) this.port.postMessage(block);
                    return true;
                }
            });
            await context.audioWorklet.addModule(`data:text/javascript,(${worklet})()`);
            const node = new AudioWorkletNode(context, "tap");
            window.tapped = [];
            node.port.onmessage = ({ data }) => window.tapped.push(...data);
            meter.connect(node);
        }""",
        page.evaluate_handle("window.livegate"),
    )


def heard(page: Page) -> list[int]:
    """Return what was played, once that is over, from its first sound to its last, as 16 bits."""
    wait_until(page, "window.tapped.some(Boolean)")
    wait_until(page, "it.loudspeaker.context.currentTime > it.loudspeaker.end + 0.1")
    samples: list[int] = page.evaluate("window.tapped.map(value => Math.round(value * 32768))")
    loud = [at for at, value in enumerate(samples) if value]
    return samples[loud[0] : loud[-1] + 1]


def from_disk(path: Path, gateway: Gateway, **query: str) -> str:
    """Make the address of a page opened from disk that talks to this gateway."""
    pairs = {"ws": gateway.ws_url, **query}
    return f"{path.as_uri()}?" + "&".join(f"{key}={quote(pairs[key])}" for key in pairs)


# What the page hears and plays


def tone(seconds: float) -> list[bytes]:
    """Make 440 Hz as chunks of 40 ms."""
    samples = [
        round(12_000 * math.cos(math.tau * 440 * at / RATE)) for at in range(int(seconds * RATE))
    ]
    return [
        struct.pack(f"<{len(samples[at : at + CHUNK])}h", *samples[at : at + CHUNK])
        for at in range(0, len(samples), CHUNK)
    ]


class Server:
    """The far end of the page's WebSocket, played by the test."""

    def __init__(self, page: Page) -> None:
        self._route: WebSocketRoute | None = None
        self.frames: list[dict[str, object]] = []
        page.route_web_socket(re.compile(".*"), self._accept)

    def _accept(self, route: WebSocketRoute) -> None:
        self._route = route
        route.on_message(lambda payload: self.frames.append(json.loads(payload)))

    def send(self, **frame: object) -> None:
        """Send one frame to the page."""
        assert self._route is not None
        self._route.send(json.dumps(frame))

    def send_sound(self, chunk: bytes) -> None:
        """Send one `audio` frame to the page."""
        data = base64.b64encode(chunk).decode()
        self.send(type="audio", data=data, format="pcm16", sampleRate=RATE)

    def close(self, code: int, reason: str) -> None:
        """Close the page's WebSocket."""
        assert self._route is not None
        self._route.close(code=code, reason=reason)


@pytest.fixture
def server(page: Page) -> Server:
    """The demo page, connected to a server that the test plays."""
    played = Server(page)
    page.goto(DEMO.as_uri())
    connect(page)
    tap(page)
    return played


# The demo page and the gateway


def test_typed_text_is_answered_in_text_and_sound(page: Page, gateway: Gateway) -> None:
    """A typed message brings a text and its sound, and all of that sound is played."""
    frames = record(page)
    page.goto(gateway.http_url)
    connect(page)
    tap(page)
    type_message(page, "Hello, how are you?")
    expect(answer(page)).to_have_text(re.compile(r"\w"))
    assert list(filter(None, heard(page))) == list(filter(None, pcm(frames.received)))
    expect(page.locator(".error")).to_have_count(0)


def test_text_alone_brings_no_sound(page: Page, gateway: Gateway) -> None:
    """With the answer mode set to text, the page gets text and not one `audio` frame."""
    frames = record(page)
    page.goto(gateway.http_url)
    page.get_by_label("Answer in").select_option("text")
    connect(page)
    type_message(page, "Hello")
    expect(answer(page)).to_have_text(re.compile(r"\w"))
    assert not pcm(frames.received)


@pytest.mark.parametrize("query", ["", "&resample"], ids=["16 kHz", "resampled"])
def test_what_is_spoken_arrives_and_is_answered(
    speaking_page: Page, gateway: Gateway, query: str
) -> None:
    """Holding the button delivers the microphone's sound in pieces of 40 ms; Gemini answers it."""
    frames = record(speaking_page)
    speaking_page.goto(f"{gateway.http_url}?processing=off{query}")
    connect(speaking_page)
    _hold_to_talk(speaking_page, frames)
    expect(answer(speaking_page)).to_have_text(re.compile(r"\w"))
    rate = speaking_page.evaluate("livegate.microphone.parts.then(p => p.node.context.sampleRate)")
    assert (rate != 16_000) == bool(query)
    _assert_speech(frames)


def test_the_page_works_opened_from_disk(speaking_page: Page, gateway: Gateway) -> None:
    """From a file:// address the page hears, sends and plays as it does when served."""
    frames = record(speaking_page)
    speaking_page.goto(from_disk(DEMO, gateway, processing="off"))
    connect(speaking_page)
    tap(speaking_page)
    _hold_to_talk(speaking_page, frames)
    expect(answer(speaking_page)).to_have_text(re.compile(r"\w"))
    assert heard(speaking_page)
    _assert_speech(frames)


def _hold_to_talk(page: Page, frames: Frames) -> None:
    speech_frames = 95  # of 40 ms: the recording and a little silence
    page.get_by_role("button", name="Hold to talk").hover()
    page.mouse.down()
    while len(frames.sent) < speech_frames:
        page.wait_for_timeout(20)
    page.mouse.up()


def _assert_speech(frames: Frames) -> None:
    kinds = [frame["type"] for frame in frames.sent]
    assert kinds[0] == "config"
    assert set(kinds[1:-1]) == {"audio"}
    assert kinds[-1] == "audio_end"
    pieces = [len(pcm([frame])) for frame in frames.sent[1:-1]]
    assert set(pieces[:-1]) == {640}
    with wave.open(str(SPEECH)) as recording:
        spoken = array("h", recording.readframes(recording.getnframes()))
    alike = likeness(spoken, pcm(frames.sent))
    assert len(alike) > 5
    # The rest may have gaps of the machine's own; that the page leaves none is for test_capture.
    assert alike[len(alike) // 2] > 0.99, alike


def test_markup_in_an_answer_is_shown_and_does_not_run(page: Page, gateway: Gateway) -> None:
    """An answer that contains HTML is shown as the text it is."""
    page.goto(gateway.http_url)
    connect(page)
    type_message(page, "/html")
    expect(answer(page)).to_contain_text(HTML)
    expect(page.locator("#log img, #log script")).to_have_count(0)
    assert page.evaluate("window.__x") is None


# The demo page alone


def test_markup_in_any_frame_does_not_run(page: Page, server: Server) -> None:
    """HTML in notices, errors, tool calls and transcripts is shown as text."""
    server.send(type="system", data=HTML)
    server.send(type="error", data=HTML, code=HTML)
    server.send(type="config_success", message=HTML, refused={"voice": HTML})
    server.send(type="tool_call", id="1", name=HTML, args={"a": HTML})
    server.send(type="input_transcript", text=HTML, final=True)
    expect(page.locator("#log > *")).to_have_count(5)
    for line in page.locator("#log > *").all():
        expect(line).to_contain_text("<img src=x onerror=")
    expect(page.locator("#log img, #log script")).to_have_count(0)
    assert page.evaluate("window.__x") is None


def test_sound_in_pieces_is_played_without_holes(page: Page, server: Server) -> None:
    """Pieces are played as one unbroken sound, to the sample, if they come in time."""
    chunks = tone(2)
    found = page.evaluate_handle("window.livegate")
    page.evaluate("it => it.loudspeaker.context.suspend()", found)  # they do
    for chunk in chunks:
        server.send_sound(chunk)
    wait_until(page, f"it.loudspeaker.pieces.size === {len(chunks)}")
    page.evaluate("it => it.loudspeaker.context.resume()", found)
    server.send(type="turn_complete", turn=1, reason="complete")
    assert heard(page) == list(array("h", b"".join(chunks)))


def test_uneven_pieces_are_played_in_time(page: Page, server: Server) -> None:
    """Each piece begins where the one before it ends, though some come late; by a clock of the test's."""
    page.evaluate(
        """({ loudspeaker: { context } }) => {
            Object.defineProperty(context, "currentTime", { get: () => window.now });
        }""",
        page.evaluate_handle("window.livegate"),
    )
    begin = 1.0 + 0.12
    for number, chunk in enumerate(tone(2)):
        page.evaluate("at => { window.now = at; }", 1 + 0.032 * number + 0.05 * (number % 4 == 3))
        server.send_sound(chunk)
        wait_until(page, f"Math.abs(it.loudspeaker.end - {begin + 0.04 * (number + 1)}) < 0.0001")


def test_a_short_answer_is_played(page: Page, server: Server) -> None:
    """One piece of sound needs no other to be heard."""
    (chunk,) = tone(0.04)
    server.send_sound(chunk)
    assert heard(page) == list(array("h", chunk))


def test_an_interruption_empties_the_queue(page: Page, server: Server) -> None:
    """After `interrupted` nothing of the answer is left to play, and the sound fades out."""
    server.send(type="response", text="A long story")
    server.send_sound(b"".join(tone(20)))
    wait_until(page, f"window.tapped.filter(Boolean).length > {RATE // 4}")
    server.send(type="interrupted", turn=1)
    expect(page.locator(".answer")).to_have_class("answer interrupted")
    played = heard(page)
    assert len(played) < 10 * RATE
    assert max(map(abs, played[-10:])) < 1200  # a tenth of the tone's height
    end = page.evaluate("it => it.loudspeaker.end", page.evaluate_handle("window.livegate"))
    server.send_sound(tone(0.04)[0])
    wait_until(page, f"it.loudspeaker.end > {end}")
    assert heard(page)[-CHUNK:] == list(array("h", tone(0.04)[0]))


def test_stop_asks_for_an_interruption(page: Page, server: Server) -> None:
    """The stop button sends `interrupt`."""
    page.get_by_role("button", name="Stop answer").click()
    while server.frames[-1] != {"type": "interrupt"}:
        page.wait_for_timeout(20)


def test_settings_are_sent_as_config(page: Page) -> None:
    """What is set goes out in `config`, what is blank does not."""
    server = Server(page)
    page.goto(DEMO.as_uri())
    page.get_by_label("Voice").select_option("Kore")
    page.get_by_label("System instruction").fill("Answer briefly.")
    page.get_by_label("Temperature").fill("0.4")
    connect(page)
    config = server.frames[0]
    assert config["type"] == "config"
    data = config["data"]
    assert isinstance(data, dict)
    assert data == {
        "generation_config": {"response_modalities": ["TEXT", "AUDIO"], "temperature": 0.4},
        "voice": "Kore",
        "system_instruction": "Answer briefly.",
        "events": ["turn_complete", "interrupted", "input_transcript"],
        "audio": {"format": "pcm16"},
    }


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (1012, "the gateway restarts. Come back"),
        (4201, "refused the API key. Stop"),
        (4999, "Stop"),
    ],
)
def test_a_close_says_what_to_do(page: Page, server: Server, code: int, shown: str) -> None:
    """A close shows its code, reason and advice, and the page can connect again."""
    server.close(code, "because")
    last = page.locator("#log > *").last
    for part in (f"code {code}", shown, "because"):
        expect(last).to_contain_text(part)
    expect(page.get_by_role("status")).to_have_text("Not connected")
    connect(page)


def test_a_config_is_answered_for_reading(page: Page, server: Server) -> None:
    """What the gateway applied, clamped and refused is told."""
    server.send(
        type="config_success",
        message="Configuration acknowledged",
        applied={"voice": "Kore", "response_modalities": ["TEXT", "AUDIO"]},
        clamped={"temperature": {"from": 3, "to": 2, "why": "the most is 2"}},
        refused={},
    )
    expect(page.locator(".notice")).to_have_text(
        "Configuration acknowledged\n"
        "applied: voice: Kore; response_modalities: TEXT, AUDIO\n"
        "clamped: temperature: from: 3, to: 2, why: the most is 2\n"
        "refused: nothing"
    )


def test_the_space_bar_talks_outside_of_text_fields(speaking_page: Page) -> None:
    """Space held on the page sends sound; in the message field it is a space."""
    server = Server(speaking_page)
    speaking_page.goto(DEMO.as_uri())
    connect(speaking_page)
    field = speaking_page.get_by_label("Message")
    field.press("Space")
    expect(field).to_have_value(" ")
    field.evaluate("field => field.blur()")
    speaking_page.keyboard.down("Space")
    expect(speaking_page.locator(".mine")).to_be_visible()
    while len(server.frames) < 4:
        speaking_page.wait_for_timeout(20)
    speaking_page.keyboard.up("Space")
    while server.frames[-1]["type"] == "audio":
        speaking_page.wait_for_timeout(20)
    kinds = [frame["type"] for frame in server.frames]
    assert kinds[0] == "config"
    assert kinds[-1] == "audio_end"
    assert set(kinds[1:-1]) == {"audio"}


def test_a_missing_microphone_is_told(page: Page, server: Server) -> None:
    """A microphone that is refused or absent gives a sentence, and nothing is sent."""
    page.get_by_role("button", name="Hold to talk").click()
    expect(page.locator(".error")).to_have_text(re.compile("microphone", re.IGNORECASE))
    expect(page.get_by_role("button", name="Hold to talk")).to_be_enabled()
    assert [frame["type"] for frame in server.frames] == ["config"]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("path", [DEMO, DEBUG], ids=["demo", "debug"])
def test_everything_fits_the_screen(page: Page, path: Path, width: int) -> None:
    """No control is cut off at the side, and each has a name."""
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(path.as_uri())
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    for control in page.locator("button, input, select, textarea").all():
        expect(control).to_have_accessible_name(re.compile(r"\w"))
        box = control.bounding_box()
        if box is not None and control.is_visible():
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width


# The debug page


def test_the_debug_page_shows_frames_both_ways(page: Page, debug_gateway: Gateway) -> None:
    """Each example frame is sent as it is in the document, and its answer is shown."""
    frames = record(page)
    page.goto(debug_gateway.http_url)
    page.get_by_role("button", name="Connect", exact=True).click()
    out, back = page.locator("#log .out"), page.locator("#log .in")
    names = ["config", "message", "text", "audio", "audio_end", "ping"]
    for name in names:
        page.get_by_role("button", name=name, exact=True).click()
        expect(out.last).to_contain_text(f'"type":"{name}"')
    for kind in ["config_success", "response", "audio", "pong"]:
        expect(back.filter(has_text=re.compile(f'"type": ?"{kind}"')).first).to_be_visible()
    assert [frame["type"] for frame in frames.sent] == names
    assert len(pcm(frames.sent)) == 16_000
    shown = out.filter(has_text='"type":"audio"').first
    assert len(shown.inner_text()) < 200


def test_the_debug_page_sends_anything(page: Page, debug_gateway: Gateway) -> None:
    """Text that is no JSON goes out as typed, and the error comes back."""
    page.goto(from_disk(DEBUG, debug_gateway))
    page.get_by_role("button", name="Connect", exact=True).click()
    page.get_by_label("Send anything").fill('{"type": oops')
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#log .out")).to_contain_text('{"type": oops')
    expect(page.locator("#log .in").filter(has_text='"error"').first).to_be_visible()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.locator("#log")).to_contain_text("closed: code 1000")
