"""An open WebSocket: messages over bytes, whichever side it is.

websockets' Sans-IO `Protocol` makes and reads frames, answers pings and echoes closes. Here is what
it leaves to its user: messages put together from fragments, UTF-8 (RFC 6455 section 8.1), a queue
for what the operating system does not take yet, and every wait's end.
"""

import logging
from collections import deque
from typing import Final

import attrs
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from livegate.protocol.limits import WireLimits

# websockets logs request headers at DEBUG, and the key is one; what matters is logged by us.
QUIET: Final = logging.getLogger("livegate.websocket")
QUIET.setLevel(logging.CRITICAL)

_NO_GOODBYE: Final = 1006
_NOT_UTF8: Final = 1007
_DEAF: Final = 4001
_ASKS: Final = 4
"""In so many parts the time is cut after which a side that takes nothing is given up."""
_REASON_BYTES: Final = 123
"""RFC 6455 section 5.5: a control frame holds 125 bytes, two of which are the code."""


@attrs.frozen
class Message:
    """A whole WebSocket message."""

    payload: bytes = attrs.field(repr=False)
    is_text: bool
    turn: int = 0
    """The turn whose sound it is, so that it can be taken back; 0 for all else."""


@attrs.frozen
class End:
    """How a WebSocket ended: what was said, by whomever said it first."""

    code: int = _NO_GOODBYE
    """RFC 6455 section 7.4.1: 1006 if none was said."""
    reason: str = attrs.field(default="", repr=False)


class WebSocket:
    """One open WebSocket.

    Args:
        protocol: Behind its opening handshake.
        limits: How long things may take, and how large they may be.
        close_s: How long the other side may take to hear a close.
        now: The shell's clock.
    """

    def __init__(
        self, protocol: Protocol, limits: WireLimits, *, close_s: float, now: float
    ) -> None:
        self.inbox: deque[Message] = deque()
        """Messages that came and have not been taken yet."""
        self.end: End | None = None
        """Set once no more messages will come."""
        self.is_over = False
        """Nothing is left to wait for: the stream can be ended."""
        self.is_deaf = False
        """It was given up because the other side took nothing in."""
        self.heard_at = now
        """When bytes last came."""
        self._protocol = protocol
        self._limits = limits
        self._close_s = close_s
        self._partial: bytearray | None = None
        self._partial_is_text = False
        self._queue: deque[Message] = deque()
        self._greeting = b""
        self._closing: End | None = None
        """What to say once the queue is empty."""
        self._has_failed = self._ends_stream = False
        self._framed = 0
        """Bytes of messages whose frames have not been taken yet."""
        self._left_queue = 0
        """Bytes of messages of which `pump` has not told yet."""
        self._unsent = 0
        """Bytes that were given out and that the operating system has not taken yet."""
        self._unsent_pongs = 0
        """Of these, what was given out behind the last message."""
        self._taken_at = now
        """When it last took some, or had nothing to take; or the other side did."""
        self._asks = 0
        """How often the operating system was asked about the other side since."""
        self._over_at: float | None = None
        """When to give up waiting for the other side to hear the close."""

    # What comes

    def receive(self, data: bytes, now: float) -> None:
        """Read bytes into `inbox`, up to `end`."""
        self.heard_at = now
        if self.end is not None:
            return
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame):  # the rest are handshakes
                self._read(frame, now)
        if self._protocol.parser_exc is not None:
            self._failed(now)

    def stream_ended(self) -> None:
        """Take note that no more bytes will come."""
        self._protocol.receive_eof()
        self._finish(_NO_GOODBYE)
        self.is_over = True

    @property
    def is_open(self) -> bool:
        """Whether nobody has said a close: messages still matter, either way."""
        return self._closing is None and self.end is None

    @property
    def may_read(self) -> bool:
        """Whether more bytes are welcome; not while many pongs wait, since each asks for another.

        Messages that wait are for their sender to judge. One that does not take what it gets may
        wait itself until it is read, or may want to interrupt what it gets.
        """
        return not self.inbox and self._unsent_pongs <= self._limits.window_bytes

    def _read(self, frame: Frame, now: float) -> None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY if frame.fin:
                self._deliver(bytes(frame.data), now, is_text=frame.opcode is Opcode.TEXT)
            case Opcode.TEXT | Opcode.BINARY:
                self._partial = bytearray(frame.data)
                self._partial_is_text = frame.opcode is Opcode.TEXT
            case Opcode.CONT if self._partial is not None:
                self._partial += frame.data
                if frame.fin:
                    whole, self._partial = bytes(self._partial), None
                    self._deliver(whole, now, is_text=self._partial_is_text)
            case Opcode.CLOSE:
                self._finish(*attrs.astuple(self._said_first))
                self._over_at = now + self._close_s
            case _:
                pass  # websockets has answered it

    @property
    def _said_first(self) -> End:
        protocol = self._protocol
        was_theirs = protocol.close_rcvd_then_sent
        said = protocol.close_rcvd if was_theirs else protocol.close_sent
        return End() if said is None else End(said.code, said.reason)

    def _deliver(self, payload: bytes, now: float, *, is_text: bool) -> None:
        if not self.is_open:
            return
        if is_text and not payload.isascii():
            try:
                payload.decode()
            except UnicodeDecodeError:
                self._protocol.fail(_NOT_UTF8, "text is not UTF-8")
                self._failed(now)
                return
        self.inbox.append(Message(payload, is_text))

    def _failed(self, now: float) -> None:
        """Tell the other side what it did wrong, and read what it still sends without looking."""
        sent = self._protocol.close_sent or Close(_NO_GOODBYE, "")
        self._finish(sent.code, sent.reason)
        self._has_failed = self._ends_stream = True
        self._over_at = now + self._close_s

    def _finish(self, code: int, reason: str = "") -> None:
        if self.end is None:
            self.end = End(code, reason)

    # What goes

    def greet(self, opening: bytes) -> None:
        """Send the bytes of the opening handshake before all else."""
        self._greeting = opening

    def send(self, message: Message) -> None:
        """Queue a message; nothing, once a close has been said or heard."""
        if self.is_open:
            self._queue.append(message)
            self._frame_queue()

    def drop_sound(self, turn: int) -> list[Message]:
        """Take back what is queued of this turn's sound and earlier ones'; return it."""
        dropped = [one for one in self._queue if 0 < one.turn <= turn]
        if dropped:
            self._queue = deque(one for one in self._queue if not 0 < one.turn <= turn)
        return dropped

    def close(self, code: int, reason: str, now: float) -> None:
        """Say a close after all that is queued, and wait so long for it to be heard.

        Messages that have come and have not been taken are not wanted any more.
        """
        self.inbox.clear()
        if self.is_open:
            self._closing = End(code, _shortened(reason))
            self._over_at = now + self._close_s

    def ping(self) -> bool:
        """Send a ping, unless something else waits to be taken, or a close has been said.

        Returns:
            Whether it is sent.
        """
        may_ping = self._unsent == 0 and self.is_open
        if may_ping:
            self._protocol.send_ping(b"")
        return may_ping

    def pump(self) -> int:
        """Make frames of what fits the window now; return the bytes that left the queue since."""
        self._frame_queue()
        if self._closing is not None and not self._queue and self._protocol.state is OPEN:
            self._protocol.send_close(self._closing.code, self._closing.reason)
        size, self._left_queue = self._left_queue, 0
        return size

    def _frame_queue(self) -> None:
        queue = self._queue
        if queue and self._protocol.state is not OPEN:  # whatever waited will never be heard
            self._left_queue += sum(len(one.payload) for one in queue)
            queue.clear()
        while queue and self._unsent + self._framed <= self._limits.window_bytes:
            message = queue.popleft()
            if message.is_text:
                self._protocol.send_text(message.payload)
            else:
                self._protocol.send_binary(message.payload)
            self._framed += len(message.payload)
            self._left_queue += len(message.payload)

    def take(self, now: float) -> bytes:
        """Return the bytes to give to the operating system now."""
        data = b"".join((self._greeting, *self._protocol.data_to_send()))
        self._unsent_pongs = 0 if self._framed else self._unsent_pongs + len(data)
        self._greeting, self._framed = b"", 0
        if self._unsent == 0:
            self._taken_at, self._asks = now, 0
        self._unsent += len(data)
        if self.end is not None and not self._has_failed and self._unsent == 0:
            self.is_over = True  # both have said a close: all is said (section 7.1.1)
        return data

    def sent(self, size: int, now: float) -> None:
        """Take note that the operating system has taken so many bytes.

        None: the other side has taken some that the operating system had.
        """
        self._asks = 0
        self._unsent -= size
        self._unsent_pongs = min(self._unsent_pongs, self._unsent)
        self._taken_at = now

    def take_stream_end(self) -> bool:
        """Return, once, whether all is said and there is nothing to listen for any more."""
        is_due, self._ends_stream = self._ends_stream, False
        return is_due

    # Time

    @property
    def deadline(self) -> float | None:
        """When to call `expire`."""
        if self.is_over:
            return None
        stalled_at = self._ask_at if self._unsent else None
        if self._over_at is None or stalled_at is None:
            return self._over_at if stalled_at is None else stalled_at
        return min(self._over_at, stalled_at)

    @property
    def _ask_at(self) -> float:
        """When to see whether the other side takes anything; after the last time it is given up."""
        return self._taken_at + self._limits.stall_s * (self._asks + 1) / _ASKS

    def expire(self, now: float) -> int | None:
        """Give up what has taken too long.

        Returns:
            The number of the question, from 1, if the operating system is to be asked whether the
            other side takes in what waits there.
        """
        if self._over_at is not None and self._over_at <= now:
            self._finish(*attrs.astuple(self._closing or End()))
            self.is_over = True
        if not self._unsent or self._ask_at > now:
            return None
        self._asks += 1
        if self._asks < _ASKS and self._taken_at + self._limits.stall_s > now:
            return self._asks
        self._finish(_DEAF, "does not read")
        self.is_over = self.is_deaf = True
        return None


def accepted(limits: WireLimits, now: float) -> WebSocket:
    """Return the WebSocket of a client whose opening handshake is answered."""
    protocol = Protocol(Side.SERVER, state=OPEN, max_size=limits.message_bytes, logger=QUIET)
    return WebSocket(protocol, limits, close_s=limits.close_s, now=now)


def _shortened(reason: str) -> str:
    """Return as much of a reason as a close frame can hold."""
    return reason.encode()[:_REASON_BYTES].decode("utf-8", "ignore")
