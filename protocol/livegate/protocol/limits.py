"""Every number that bounds a session or a connection, each with its precedent."""

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

    turn_sound_bytes: int = 9 * MIB
    """PCM of a turn that is collected for one frame: three minutes at 24 kHz, and as base64 less
    than `frame_bytes`. What is longer goes out in several frames."""

    high_water: int = 256 * KIB
    """Bytes in flight to one side above which the other side is not read: 5 s of 24 kHz sound
    as base64 frames."""
    low_water: int = 128 * KIB
    """Bytes in flight below which reading starts again."""

    held_item_bytes: int = 512
    """What a frame in line costs at least, however short: its objects in memory."""

    setup_s: float = 10.0
    """From dialling Gemini to its setupComplete: websockets' open_timeout."""
    link_age_s: float = 480.0
    """When a link to Gemini is renewed: Gemini ends it after about ten minutes, and says so a minute
    before; users of such services have seen it go without a word."""
    gemini_session_s: float = 3300.0
    """The same for what Gemini takes for one session, over all its links: cuts were seen at 58
    minutes."""
    go_away_margin_s: float = 5.0
    """How much earlier than Gemini announces the link is replaced at the latest: its clock may be
    late, and the new link has to be dialled."""
    handover_s: float = 60.0
    """How long another link waits for the running answer to end, where Gemini sets no time."""
    handle_s: float = 1.0
    """How long a changed config waits then for the handle that Gemini sends right after an
    answer."""
    tail_s: float = 2.0
    """Seconds of sound of which nobody is told that Gemini may have missed them: what an open
    microphone gave between an answer's end and its handle."""
    seed_bytes: int = 32 * KIB
    """Text of the conversation that is kept, to be given to Gemini when it has forgotten it: half an
    hour's talk, a tenth of what its context holds."""
    retry_s: float = 0.5
    """The first pause after Gemini could not be reached; doubles each time."""
    retry_max_s: float = 8.0
    """The longest such pause."""
    retrying_s: float = 30.0
    """How long Gemini may be out of reach until the client is told to go: people wait no longer."""
    notice_s: float = 3.0
    """How long until the client is told why nothing comes."""
    resume_tries: int = 3
    """Links in a row that Gemini may end while it is to resume the conversation, for whatever
    reason, before it is asked to start anew."""
    resume_s: float = 120.0
    """How long a session waits for a client that has lost its WebSocket: Discord's and Centrifugo's
    wait some minutes."""
    token_s: float = 7200.0
    """How long a token is good for: Gemini forgets a conversation two hours after it has ended."""
    missed_bytes: int = MIB
    """Frames that are kept for a client that may come back: more than is on its way to it."""
    answer_s: float = 30.0
    """How long Gemini may be silent when asked: it thinks for seconds, and one model in twenty
    times never answers a text."""
    call_s: float = 120.0
    """How long a client may take for a tool call: as OpenAI's and most agents' tools may."""
    flush_after_s: float = 1.0
    """Silence after the last piece of audio has played that ends the speaker's turn: Gemini's
    own end-of-speech detection waits about as long."""
    slice_s: float = 3.0
    """The longest piece that a recorder delivers while somebody speaks; browsers' pages ask for a
    quarter of a second to two. Longer sound in one frame has been spoken, and no more is waited
    for than that."""

    recording_s: float = 600.0
    """The longest recording that may come in one frame: the longest voice message of most phones'
    applications is shorter."""
    burst_s: float = 60.0
    """How much more sound than has passed as time may come in recordings, besides one of the
    longest."""
    pace: float = 1.2
    """Seconds of sound that recordings may hold for each second that passes: recorders' clocks
    differ, and networks hold up and then hurry."""
    decode_cpu: float = 0.2
    """Seconds of a processor that decoding one second of sound may take: Opus takes 0.002, pure
    Python for six channels 0.1."""
    decode_cpu_s: float = 1.0
    """The same for a recording of which nothing can be heard yet."""


@attrs.frozen(kw_only=True)
class BreakerLimits:
    """When all sessions of a gateway leave Gemini alone, and for how long. Spans are seconds."""

    failures: int = 5
    """Sessions whose links could not be set up for a reason that may pass, with no success between
    them, before nobody dials: Envoy's `consecutive_5xx`. None counts twice: what one of them asks for
    must not hold off the others, and its own pauses slow it down."""
    rest_s: float = 1.0
    """How long nobody dials then: gRPC's first backoff. It doubles each time that the one session
    which tries after that fails, and is cut by up to a half."""
    rest_max_s: float = 30.0
    """The longest such span, and so about the longest that Gemini can be back unnoticed: Envoy's
    `base_ejection_time`."""
    probe_s: float = 15.0
    """How long the one that tries holds all others off, if nothing is heard of it: longer than a
    session's `setup_s`, after which it gives up."""


@attrs.frozen(kw_only=True)
class WireLimits:
    """Bounds of one connection that livegate itself listens for. Spans are seconds."""

    head_bytes: int = 16 * KIB
    """The largest request head: hypercorn's and h11's default for one event."""
    head_s: float = 5.0
    """From TCP's accept to the end of the request head: hypercorn's `read_timeout` for it."""
    message_bytes: int = 16 * MIB
    """The largest WebSocket message, either way; a larger one is not even read."""
    window_bytes: int = 64 * KIB
    """Bytes given out that the operating system has not taken yet, above which the rest waits as
    messages, where sound can still be taken back."""
    stall_s: float = 60.0
    """How long a client may take nothing in; people's programs pause longer than servers."""
    ping_s: float = 19.0
    """Pause between two pings, shorter than proxies' idle limits. A host that has vanished is found
    two pauses after it was last there: within 40 s, even if the clock loop is late."""
    pong_s: float = 38.0
    """How long nothing at all may come from a client of `livegate.v1`: two pauses."""
    idle_s: float = 900.0
    """How long nothing at all may come from a client, not even an answer to a ping."""
    close_s: float = 5.0
    """How long a client that is told why it has to go may take to hear it."""
    link_close_s: float = 0.4
    """The same for a link to Gemini."""
    refused_bytes: int = 4 * KIB
    """What is still read of a client that was refused."""
    answer_s: float = 5.0
    """How long an HTTP client may take nothing of its answer: as long as it had to ask."""
    linger_s: float = 1.0
    """How long it may take to close, once it has it all."""
