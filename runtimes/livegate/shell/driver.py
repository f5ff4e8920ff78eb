"""Between a connection and the wires that carry its bytes: synchronous, the same on each runtime."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, assert_never

import attrs

from livegate.protocol import commands, inputs
from livegate.protocol.connection import Connection, events
from livegate.protocol.connection.events import CLIENT_LINK
from livegate.protocol.connection.websocket import WebSocket
from livegate.protocol.inputs import Side
from livegate.protocol.secret import Secret
from livegate.shell import logs
from livegate.shell.decoding import new_decoder
from livegate.shell.shared import Shared


class Wire(Protocol):
    """One byte stream. It tells its driver what happens to it, and does at once what it is told.

    Whoever drives it then, it ends with the task of the driver that it began with, to which it says
    `wire_ended` if that has lent it.
    """

    def move(self, driver: "Driver", link: int) -> None:
        """Tell another driver from now on, under another number."""

    def write(self, data: bytes) -> None:
        """Send bytes after all earlier ones; tell of each part that has left."""

    def write_eof(self) -> None:
        """Send the end of the stream after all that was written, if this kind of stream can."""

    def let_read(self, *, may_read: bool) -> None:
        """Read on, or leave the rest to the operating system."""

    def abort(self) -> None:
        """End the stream at once; tell nothing any more."""

    def has_progressed(self, *, is_first: bool) -> bool:
        """Whether the other side has taken more than when this was last asked."""
        ...

    def has_vanished(self, span_s: float) -> bool:
        """Whether the other side's host is gone, as far as the operating system has heard."""
        ...


class Owner(Protocol):
    """The runtime's side of one connection."""

    def open_link(self, link: int) -> None:
        """Begin to dial Gemini."""

    def give_up(self, link: int) -> None:
        """Stop dialling it."""

    def decode(self, command: commands.Decode) -> None:
        """Begin to do one step of a recording with the driver's decoder, and feed what comes of it."""

    def wake_at(self, deadline: float) -> None:
        """Feed `DeadlineReached` then; an earlier instant takes the place of a later one."""

    def changed(self) -> None:
        """Look whether the connection is over; called after whatever happened."""


@attrs.frozen
class _Guest:
    """A client that was let go by another driver, and goes on here."""

    client: WebSocket
    peer: str
    seq: int
    """The number of the last frame that it has."""


_Happened: TypeAlias = events.Event | commands.Resume | _Guest
"""A token is looked up in its turn: what was sent before has been told of by then."""


class Driver:
    """Feeds one connection, and does what it answers."""

    def __init__(
        self,
        connection: Connection,
        owner: Owner,
        clock: Callable[[], float],
        secrets: Sequence[Secret],
        shared: Shared,
    ) -> None:
        self.decoder = new_decoder()
        self.wires: dict[tuple[Side, int], Wire] = {}
        self._connection = connection
        self._owner = owner
        self._clock = clock
        self._secrets = secrets
        self._metrics = shared.metrics
        self._returns = shared.returns
        self._has_lent = False
        """The client's wire belongs to another driver now, and has not ended."""
        self._events: deque[_Happened] = deque()
        self._is_busy = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of the connection."""
        return self._connection.is_over and not self._has_lent

    @property
    def deadline(self) -> float:
        """When to feed `DeadlineReached`; infinity if never."""
        return self._connection.deadline

    @property
    def has_conversation(self) -> bool:
        """Whether the client has been let in and not yet gone, or is waited for."""
        return self._connection.conversation is not None or self._has_lent

    def feed(self, event: events.Event) -> None:
        """Tell the connection what happened, and do what it answers.

        What happens meanwhile, such as bytes that leave at once, waits for its turn.
        """
        self._put(event)

    def _put(self, happened: _Happened) -> None:
        self._events.append(happened)
        if self._is_busy:
            return
        self._is_busy = True
        try:
            while self._events:
                self._handle(self._events.popleft())
        finally:
            self._is_busy = False
        self._settle()

    def wire_ended(self) -> None:
        """Take note that the wire that was lent has ended."""
        self._has_lent = False
        self._owner.changed()

    def fail(self) -> None:
        """End the connection for the exception at hand, a fault of ours; end no other."""
        self._fail(self._clock())
        self._settle()

    def _settle(self) -> None:
        """Have the runtime follow what the connection has become."""
        for (side, link), wire in self.wires.items():
            wire.let_read(may_read=self._connection.may_read(side, link))
        self._owner.wake_at(self._connection.deadline)
        self._owner.changed()

    def _handle(self, happened: _Happened) -> None:
        """Handle one thing that happened. A fault of ours ends this connection, and no other."""
        now = self._clock()
        if isinstance(happened, inputs.DeadlineReached):
            self._metrics.woke(now - self._connection.deadline)
        try:
            if isinstance(happened, commands.Resume):
                self._resume(happened)
                return
            for action in self._told(happened, now):
                self._do(action)
        except Exception:  # noqa: BLE001 - the last resort
            self._fail(now)

    def _told(self, happened: events.Event | _Guest, now: float) -> list[events.Action]:
        """Tell the connection, and return what it answers."""
        if isinstance(happened, _Guest):
            return self._connection.adopt(happened.client, happened.peer, happened.seq, now)
        return self._connection.handle(happened, now)

    def _fail(self, now: float) -> None:
        """Write the exception at hand to the log; the client hears no details."""
        logs.write_fault("session.failed", self._secrets)
        self._metrics.failed()
        for action in self._connection.fail(now):
            self._do(action)

    def _do(self, action: events.Action) -> None:
        match action:
            case events.SendBytes(side=side, link=link, data=data):
                if (wire := self.wires.get((side, link))) is not None:
                    wire.write(data)
            case events.EndStream(side=side, link=link):
                if (wire := self.wires.get((side, link))) is not None:
                    wire.write_eof()
            case events.Abort(side=side, link=link):
                if (wire := self.wires.pop((side, link), None)) is not None:
                    wire.abort()
                elif side is Side.UPSTREAM:
                    self._owner.give_up(link)
            case events.Probe(side=side, link=link, span_s=span_s):
                wire = self.wires.get((side, link))
                if wire is not None and wire.has_vanished(span_s):
                    self.feed(events.StreamEnded(side, link))
            case events.AskProgress(side=side, link=link, is_first=is_first):
                wire = self.wires.get((side, link))
                if wire is not None and wire.has_progressed(is_first=is_first):
                    self.feed(events.BytesSent(side, link, 0))
            case events.Count(matter=events.Matter.FRAMES_DROPPED, number=number):
                self._metrics.dropped(number)
            case events.Count():
                self._metrics.deaf()
            case _:
                self._obey(action)

    def _obey(self, command: events.Command) -> None:
        """Do what the session asks for."""
        match command:
            case commands.OpenUpstream(link=link):
                self._owner.open_link(link)
            case commands.Decode():
                self._owner.decode(command)
            case commands.StopDecoding(job=job):
                self.decoder.stop(job)
            case commands.Seal():
                if (conversation := self._connection.conversation) is not None:
                    self.feed(self._returns.seal(conversation, self, command))
            case commands.Resume():
                self._put(command)
            case commands.Log():
                logs.write(command)
                self._metrics.take(command)
            case _:
                assert_never(command)

    def _resume(self, command: commands.Resume) -> None:
        """Have the client go on with the session that its token names, wherever that is."""
        if (conversation := self._connection.conversation) is None:
            return
        found = self._returns.find(conversation, command, Driver)
        if isinstance(found, Driver):
            self._lend(found, command.seq)
        else:
            self._put(found)

    def _lend(self, other: "Driver", seq: int) -> None:
        """Have the client, which has the frames up to a number, go on with another driver."""
        client, peer, actions = self._connection.release(self._clock())
        link = other._connection.client_link + 1  # noqa: SLF001 - it is one like this
        wire = other.wires[Side.CLIENT, link] = self.wires.pop((Side.CLIENT, CLIENT_LINK))
        wire.move(other, link)
        self._has_lent = True
        for action in actions:
            self._do(action)
        other._put(_Guest(client, peer, seq))  # noqa: SLF001 - likewise
