"""Every number that bounds a session, each with its precedent."""

import attrs

KIB = 1024
MIB = 1024 * KIB


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds of one session. Spans are seconds, sizes bytes."""

    frame_bytes: int = 16 * MIB
    """The largest audio or image frame: hypercorn's and uvicorn's default message limit; ten
    minutes of 16 kHz PCM fit in as base64."""
    control_frame_bytes: int = 256 * KIB
    """The largest frame of any other type: long enough for a page of instructions and tools."""
    free_json_bytes: int = 64 * KIB
    """The largest `config.data` or `tool_response.data`, which are decoded without a schema."""
    free_json_depth: int = 32
    """How deep free JSON may nest; a function's parameter schema rarely needs ten levels."""
    ping_bytes: int = KIB
    """The largest `ping.data`."""
    pending_calls: int = 128
    """Tool calls that wait for an answer; Gemini's are few, but they are not ours to count."""
    upstream_chunk_chars: int = 64 * KIB
    """Base64 characters of audio in one message to Gemini, a multiple of 8 (three samples), so
    that a whole recording goes out in pieces of 1.5 s without being decoded."""

    high_water: int = 256 * KIB
    """Bytes in flight to one side above which the other side is not read: 5 s of 24 kHz sound
    as base64 frames."""
    low_water: int = 128 * KIB
    """Bytes in flight below which reading starts again."""

    held_item_bytes: int = 512
    """What a frame in line costs at least, however short: its objects in memory."""

    setup_s: float = 10.0
    """From dialling Gemini to its setupComplete: websockets' open_timeout."""
    handover_s: float = 60.0
    """How long a changed config waits for the running answer to end."""
    handle_s: float = 1.0
    """How long it waits then for the handle that Gemini sends right after an answer."""
    retry_s: float = 0.5
    """The first pause after Gemini could not be reached; doubles each time."""
    retry_max_s: float = 8.0
    """The longest such pause."""
    flush_after_s: float = 1.0
    """Silence after the last piece of audio has played that ends the speaker's turn: Gemini's
    own end-of-speech detection waits about as long."""
