"""The journal of a short session, as docs/journal.md shows it."""

from typing import Final

from livegate.protocol import inputs, journal
from livegate.protocol.journal import Entry, Header
from livegate.protocol.options import SessionOptions
from livegate.protocol.redaction import Redaction
from livegate.protocol.session import Session

_HEARD: Final = (
    b'{"sessionResumptionUpdate":{"newHandle":"CihoYW5kbGU4","resumable":true}}',
    b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000",'
    b'"data":"%b"}}]},"outputTranscription":{"text":"Hello!"}}}' % (b"VGhl" * 300),
    b'{"serverContent":{"turnComplete":true}}',
)


def journal_example() -> str:
    """Return the journal of a short session."""
    asked = b'{"type":"text","text":"Hello Gemini!"}'
    told: tuple[tuple[float, inputs.Input | None], ...] = (
        (5000.0, None),
        (5000.0, inputs.ClientOpened(1, "127.0.0.1")),
        (5000.125, inputs.ClientFrame(1, asked, is_text=True)),
        (5000.25, inputs.UpstreamOpened(1)),
        (5000.5, inputs.UpstreamFrame(1, b'{"setupComplete":{}}')),
        *((5001.0 + at / 4, inputs.UpstreamFrame(1, one)) for at, one in enumerate(_HEARD)),
        (5002.0, inputs.ClientGone(1, 1000)),
    )
    options, redaction = SessionOptions(session_id="9f3c01ab"), Redaction(salt=b"an example")
    session = Session(options, seed=4711)
    lines = [
        journal.encode(
            Header(
                version="0.1.0",
                session=options.session_id,
                seed=4711,
                options=options,
                media=False,
                runtime="asyncio",
                began="2026-01-31T12:00:00.000+00:00",
            )
        )
    ]
    for now, event in told:
        given = session.start(now) if event is None else session.handle(event, now)
        redacted = tuple(map(redaction.command, given))
        lines.append(journal.encode(Entry(now, event and redaction.input(event), redacted)))
    return f"```json\n{b''.join(lines).decode()}```\n"
