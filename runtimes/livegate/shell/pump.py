"""Between a session and the loops that do its I/O: synchronous, the same for each runtime."""

import math
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

import attrs

from livegate.protocol import commands, inputs
from livegate.protocol.admission import Visit
from livegate.shell import logs
from livegate.shell.decoding import new_decoder
from livegate.shell.shared import Shared
from livegate.shell.target import CLOSE_GRACE_S, FAREWELL_S

_FAULT_OF_OURS: Final = 1011
_T = TypeVar("_T")


class Bell(Protocol):
    """Wakes the loop that waits for it; rung early, it is remembered."""

    def ring(self) -> None:
        """Wake the loop."""

    async def heard(self) -> None:
        """Wait until it has rung since it was last heard."""


@attrs.frozen
class Outbox(Generic[_T]):
    """What one writing loop has to do, in order. The session bounds what is in it."""

    bell: Bell
    items: deque[_T] = attrs.field(factory=deque)  # pyright: ignore[reportUnknownVariableType]

    def put(self, item: _T) -> None:
        """Add work, and wake the loop."""
        self.items.append(item)
        self.bell.ring()


ToClient: TypeAlias = commands.SendClient | commands.CloseClient


class Shell(Protocol):
    """What a pump needs done at once."""

    def open_link(self, link: int) -> None:
        """Begin to dial Gemini."""

    def hang_up(self, link: int) -> None:
        """Give a link the grace to send what it has and close; or give up dialling it."""

    def decode(self, command: commands.Decode) -> None:
        """Begin to do one step of a recording with the pump's decoder, and feed what comes of it."""

    def end_client(self, grace_s: float) -> None:
        """Give the client's socket so long to send what it has and close."""

    def move_client(self, pump: "Pump", seq: int) -> None:
        """Have the client's socket feed another pump, whose session it goes on with.

        Args:
            pump: The other.
            seq: The number of the last frame that the client has.
        """


@attrs.define
class Seat:
    """One of a session's client sockets."""

    pump: "Pump"
    link: int
    """Its number."""
    outbox: Outbox[ToClient]
    shell: Shell
    is_gone: bool = False
    """The socket has ended: there is nothing more to do for it."""


class Pump:
    """Feeds a session, and sorts what it answers into outboxes."""

    def __init__(
        self,
        session: Visit,
        shell: Shell,
        clock: Callable[[], float],
        new_bell: Callable[[], Bell],
        shared: Shared,
    ) -> None:
        self.links: dict[int, Outbox[commands.SendUpstream | commands.CloseUpstream]] = {}
        self.may_read = new_bell()
        self.alarm = new_bell()
        self.alarm_at = math.inf
        """Until when the clock loop sleeps; it is woken only for something earlier."""
        self.over = new_bell()
        """Rings when the session ends."""
        self.decoder = new_decoder()
        self.fault: Exception | None = None
        """Of ours, for which it has ended."""
        self._has_failed = False
        """The session is not to be asked any more."""
        self._seats: dict[int, Seat] = {}
        self._seat_count = 0
        self._events: deque[inputs.Input] = deque()
        self._is_busy = False
        self._session = session
        self._shell = shell
        self._clock = clock
        self._new_bell = new_bell
        self._metrics = shared.metrics
        self._returns = shared.returns

    def seat(self, shell: Shell) -> Seat:
        """Return a place for another socket of the client, which `shell` reads and writes."""
        self._seat_count += 1
        seat = Seat(self, self._seat_count, Outbox(self._new_bell()), shell)
        self._seats[seat.link] = seat
        return seat

    def leave(self, seat: Seat) -> None:
        """Take a socket away: it goes on elsewhere, and so does the client."""
        del self._seats[seat.link]
        self.feed(inputs.ClientMoved())
        seat.outbox.bell.ring()
        self.may_read.ring()

    def feed(self, event: inputs.Input) -> None:
        """Tell the session what happened, and do what it answers.

        What happens meanwhile, such as a token that is made at once, waits for its turn: it comes
        behind all that was to be done before. A fault of ours ends the session. That is for its own
        relay to tell, whichever has fed it.
        """
        if self._has_failed:
            return
        self._events.append(event)
        if self._is_busy:
            return
        self._is_busy = True
        try:
            while self._events:
                self._handle(self._events.popleft())
        except Exception as fault:  # noqa: BLE001 - the last resort
            self.fault = fault
            self.fail()
        finally:
            self._is_busy = False

    def fail(self) -> None:
        """Have all of it end, wherever its client is; once it is over, this does nothing."""
        if self.is_over:
            return
        self._has_failed = True
        for seat in self._seats.values():
            seat.outbox.put(commands.CloseClient(seat.link, _FAULT_OF_OURS))
            seat.shell.end_client(FAREWELL_S)
        self._wake_all()

    def _wake_all(self) -> None:
        """Let whoever waits see that it is over; what the client still says is read and forgotten."""
        self.may_read.ring()
        self.over.ring()

    def _handle(self, event: inputs.Input) -> None:
        before, now = self._session.reading, self._clock()
        for command in self._session.handle(event, now):
            self._do(command)
        match event:
            case inputs.DeadlineReached():
                self._metrics.woke(now - self.alarm_at)
            case inputs.ClientGone(link=link) if link in self._seats:
                seat = self._seats.pop(link)
                seat.is_gone = True
                seat.outbox.bell.ring()
                seat.shell.end_client(CLOSE_GRACE_S)
            case inputs.UpstreamGone(link=link):
                self._do(commands.CloseUpstream(link))
            case _:
                pass
        if self.is_over:
            self._wake_all()
        elif self._session.reading != before:
            self.may_read.ring()
        if self.deadline < self.alarm_at:
            self.alarm.ring()

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        return self._has_failed or self._session.is_over

    @property
    def has_conversation(self) -> bool:
        """Whether the session goes on, as the gateway sees it: until it forgets this pump."""
        return True

    @property
    def deadline(self) -> float:
        """When to feed `DeadlineReached`: infinity if never."""
        deadline = self._session.deadline
        return math.inf if deadline is None else deadline

    @property
    def may_read_client(self) -> bool:
        """Whether to read the client's next message: at the end always, for its close is behind it."""
        return self.is_over or self._session.reading.client

    @property
    def may_read_upstream(self) -> bool:
        """Whether the next message of Gemini is welcome."""
        return self._session.reading.upstream

    def _do(self, command: commands.Command) -> None:
        match command:
            case commands.SendClient(link=link):
                if (seat := self._seats.get(link)) is not None:
                    seat.outbox.put(command)
            case commands.CloseClient(link=link):
                if (seat := self._seats.get(link)) is not None:
                    seat.outbox.put(command)
                    seat.shell.end_client(FAREWELL_S)
            case commands.SendUpstream(link=link):
                self.links[link].put(command)
            case commands.CloseUpstream(link=link):
                self.links[link].put(command)
                self._shell.hang_up(link)
            case commands.OpenUpstream(link=link):
                self.links[link] = Outbox(self._new_bell())
                self._shell.open_link(link)
            case commands.Decode():
                self._shell.decode(command)
            case commands.StopDecoding(job=job):
                self.decoder.stop(job)
            case commands.DropSound(link=link, turn=turn):
                self.feed(inputs.Sent(inputs.Side.CLIENT, link, self._drop_sound(link, turn)))
            case commands.Seal():
                self.feed(self._returns.seal(self._session, self, command))
            case commands.Resume(seq=seq):
                found = self._returns.find(self._session, command, Pump)
                if isinstance(found, Pump):
                    self._shell.move_client(found, seq)
                else:
                    self.feed(found)
            case commands.Log():
                logs.write(command)
                self._metrics.take(command)

    def _drop_sound(self, link: int, turn: int) -> int:
        """Take the sound up to this turn out of a client's outbox; return its bytes."""
        if (seat := self._seats.get(link)) is None:
            return 0
        items = seat.outbox.items
        kept, dropped = list[ToClient](), 0
        for item in items:
            if isinstance(item, commands.SendClient) and 0 < item.turn <= turn:
                dropped += len(item.payload)
            else:
                kept.append(item)
        self._metrics.dropped(len(items) - len(kept))
        items.clear()
        items.extend(kept)
        return dropped
