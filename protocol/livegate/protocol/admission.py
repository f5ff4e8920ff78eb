"""Who may begin a session, and how much it may use: counted here, for one process.

`Admission` is asked before there is a session, and gives a `Ticket` for one. A `Visit` is that
session with its ticket: it ends with the input `ClientDismissed`, which a journal has like any
other, so the session's replay needs no admission.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Final

import attrs

from livegate.protocol import addresses, origins, tokens
from livegate.protocol.addresses import Networks
from livegate.protocol.breaker import Guarded
from livegate.protocol.commands import LEVELS, Command, Event, Log, Resume
from livegate.protocol.errors import ErrorCode, Refusal
from livegate.protocol.flow import Reading
from livegate.protocol.hello import Hello
from livegate.protocol.inputs import ClientDismissed, ClientFrame, Decoded, Input, Side
from livegate.protocol.origins import Allowed
from livegate.protocol.session import Session
from livegate.protocol.tally import Tally
from livegate.protocol.tokens import Allowance, Token

RETRY_S: Final = 5.0
"""When to come again after there was no room: soon enough for a place that has become free, and
a crowd that waits so long asks no more than a fifth of its number each second."""
_MINUTE_S: Final = 60.0


@attrs.frozen(kw_only=True)
class Rules:
    """What the operator decided of who may come."""

    allowed: Allowed = attrs.field(factory=Allowed)
    tokens: tuple[Token, ...] | None = None
    """Of which a client has to present one; None: no client is asked for any."""
    overall: Allowance = attrs.field(factory=Allowance)
    """For all clients together: sessions at once and rates are summed. Age is of each session."""
    trusted_proxies: Networks = ()
    """Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""
    waiting_per_address: int = 256
    """Connections of one address that have no session yet: an office behind one address, whose
    clients all come back at the same moment, has no more; and one attacker leaves most of the
    1,024 descriptors that a process usually has to others."""


@attrs.define(eq=False)
class _Bucket:
    """What is left of a rate: a minute's worth at most, refilled all the time."""

    code: ErrorCode
    words: str
    per_minute: float
    level: float
    filled_at: float = 0.0

    def spend(self, amount: float, now: float) -> float:
        """Take note of what was used; return how long until nothing is owed, in seconds."""
        gained = max(0.0, now - self.filled_at) * self.per_minute / _MINUTE_S
        self.level = min(self.per_minute, self.level + gained) - amount
        self.filled_at = max(self.filled_at, now)
        return max(0.0, -self.level) * _MINUTE_S / self.per_minute


@attrs.frozen
class _Meter:
    """The rates of one allowance."""

    frames: _Bucket | None
    audio: _Bucket | None

    @property
    def buckets(self) -> tuple[_Bucket, ...]:
        """Those that there are."""
        return tuple(one for one in (self.frames, self.audio) if one is not None)


def _meter(allowance: Allowance, code: ErrorCode, whose: str) -> _Meter:
    def bucket(per_minute: float | None, what: str) -> _Bucket | None:
        if per_minute is None:
            return None
        words = f"{whose} may send {per_minute:g} {what} a minute"
        return _Bucket(code, words, per_minute, per_minute)

    return _Meter(
        bucket(allowance.messages_per_minute, "messages"),
        bucket(allowance.audio_s_per_minute, "seconds of audio"),
    )


@attrs.define(eq=False)
class Ticket:
    """One session's right to go on."""

    peer: str
    """The client's own address, as well as it is known."""
    client: str
    """The name of its token; empty if none was asked for."""
    subprotocol: str | None
    """What the server must select."""
    is_v1: bool
    """Whether that is `livegate.v1`."""
    age_s: float | None
    """How long the session may last, in seconds."""
    deadline: float | None
    """When it is over, by the clock that `admit` was told."""
    _meters: tuple[_Meter, ...] = attrs.field(alias="meters")
    is_away: bool = False
    """Whether the session waits for its client to come back."""

    @property
    def is_limited(self) -> bool:
        """Whether it can ever end."""
        return self.deadline is not None or any(meter.buckets for meter in self._meters)

    def charge(self, frames: int, audio_s: float, now: float) -> Refusal | None:
        """Take note of what the client has sent; return why it must go, if it was too much.

        Args:
            frames: How many messages.
            audio_s: Seconds of sound in them.
            now: By the clock that `admit` was told.
        """
        refusal, wait_s = None, 0.0
        for meter in self._meters:
            for bucket, amount in ((meter.frames, frames), (meter.audio, audio_s)):
                if bucket is not None and (owed_s := bucket.spend(amount, now)) > wait_s:
                    refusal, wait_s = Refusal(bucket.code, bucket.words, owed_s), owed_s
        return refusal

    def expired(self, now: float) -> Refusal | None:
        """Return why the client must go, if its time is over."""
        if self.age_s is None or self.deadline is None or now < self.deadline:
            return None
        over = f"a session of this client may last {self.age_s:g} s"
        return Refusal(ErrorCode.SESSION_AGE, over, 0.0)


class Admission:
    """Lets clients in, one after the other, and counts those that are in.

    Args:
        rules: What the operator decided.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._waiting = Counter[str]()
        self._tickets = set[Ticket]()
        self._sessions = defaultdict[str, set[Ticket]](set)
        """Of each token's name."""
        self._overall = _meter(rules.overall, ErrorCode.OVERLOADED, "all clients together")
        self._meters = {
            token.name: _meter(token.allowance, ErrorCode.RATE_LIMITED, "this client")
            for token in rules.tokens or ()
        }

    def arrive(self, peer: str) -> bool:
        """Take note of a connection that has no session yet; return whether there is room for it.

        Where there is not, nothing is noted: cut it, and do not `settle` it. The address of a
        trusted proxy, and no address at all, stand for too many to be counted.

        Args:
            peer: The address at the other end.
        """
        if not self._is_counted(peer):
            return True
        if self._waiting[peer] >= self._rules.waiting_per_address:
            return False
        self._waiting[peer] += 1
        return True

    def settle(self, peer: str) -> None:
        """Take note that a connection waits no more: it has a session, or has gone."""
        if self._waiting[peer] > 1:
            self._waiting[peer] -= 1
        else:
            del self._waiting[peer]

    def admit(self, hello: Hello, now: float) -> Ticket | Refusal:
        """Return the ticket for a session, to `leave` at its end; or why there is none.

        Args:
            hello: What is known of the client.
            now: A monotonic clock, in seconds.
        """
        rules = self._rules
        scheme = addresses.scheme_of(hello, rules.trusted_proxies)
        if refusal := origins.judge(hello, rules.allowed, scheme=scheme):
            return refusal
        token: Token | None = None
        if rules.tokens is not None:
            presented = tokens.presented(hello)
            if presented is None:
                return Refusal(ErrorCode.UNAUTHORIZED, "this gateway wants a client token")
            token = tokens.find(rules.tokens, presented)
            if token is None:
                return Refusal(ErrorCode.UNAUTHORIZED, "this gateway knows no such client token")
        most = rules.overall.sessions
        if self.is_full:
            full = f"this gateway has as many sessions as it may: {most}"
            return Refusal(ErrorCode.OVERLOADED, full, RETRY_S)
        most = token.allowance.sessions if token is not None else None
        if token is not None and _are_too_many(self._sessions[token.name], most):
            full = f"this client has as many sessions as it may: {most}"
            return Refusal(ErrorCode.RATE_LIMITED, full, RETRY_S)
        return self._ticket(hello, token, now)

    def is_named(self, hello: Hello) -> bool:
        """Whether the gateway goes by the name that it was asked by."""
        scheme = addresses.scheme_of(hello, self._rules.trusted_proxies)
        return origins.is_named(hello, self._rules.allowed, scheme=scheme)

    def knows(self, hello: Hello) -> bool:
        """Whether whoever asks has a token, if one is asked for: for what is no session."""
        if self._rules.tokens is None:
            return True
        presented = tokens.presented(hello)
        return presented is not None and tokens.find(self._rules.tokens, presented) is not None

    @property
    def is_full(self) -> bool:
        """Whether there are as many sessions as there may be."""
        return _are_too_many(self._tickets, self._rules.overall.sessions)

    def leave(self, ticket: Ticket) -> None:
        """Take note that a session has ended; once more, it does nothing."""
        if ticket in self._tickets:
            self._tickets.remove(ticket)
            self._sessions[ticket.client].remove(ticket)

    def log_of(self, hello: Hello, refusal: Refusal) -> Log:
        """Return what to log of a client that was not admitted."""
        fields = {
            "peer": self._client_of(hello),
            "code": refusal.code.value,
            "why": refusal.message,
        }
        return Log(LEVELS[Event.CLIENT_REFUSED], Event.CLIENT_REFUSED, fields)

    def _ticket(self, hello: Hello, token: Token | None, now: float) -> Ticket:
        ages = [
            one.session_age_s
            for one in (self._rules.overall, *([token.allowance] if token else []))
            if one.session_age_s is not None
        ]
        age_s = min(ages, default=None)
        ticket = Ticket(
            peer=self._client_of(hello),
            client=token.name if token else "",
            subprotocol=tokens.subprotocol(hello),
            is_v1=tokens.subprotocol(hello) == tokens.V1,
            age_s=age_s,
            deadline=None if age_s is None else now + age_s,
            meters=(*([self._meters[token.name]] if token else []), self._overall),
        )
        self._tickets.add(ticket)
        self._sessions[ticket.client].add(ticket)
        return ticket

    def _client_of(self, hello: Hello) -> str:
        return addresses.client_of(hello, self._rules.trusted_proxies)

    def _is_counted(self, peer: str) -> bool:
        return peer != "" and not addresses.is_among(peer, self._rules.trusted_proxies)


def _are_too_many(sessions: Collection[Ticket], most: int | None) -> bool:
    """Whether there may not be another session.

    Those that wait for their clients do not count: who comes back begins a session first, to say
    so. But there are never more than as many again.
    """
    if most is None or len(sessions) < most:
        return False
    away = sum(one.is_away for one in sessions)
    return len(sessions) - away >= most or len(sessions) >= 2 * most


class Visit:
    """A session that lasts as long as its ticket allows; a shell uses it in the session's place.

    Args:
        session: Started.
        ticket: For this session alone.
    """

    def __init__(self, session: Session | Guarded, ticket: Ticket) -> None:
        self.ticket = ticket
        """To `leave` at the end."""
        self._session = session
        self._may_end = ticket.is_limited
        """The ticket can end it, and has not yet."""
        self._frames = 0
        self._audio_s = 0.0
        """What was charged so far."""

    def handle(self, event: Input, now: float) -> list[Command]:
        """Take note of what happened and return what to do, in order: see `Session.handle`."""
        given = self._session.handle(event, now)
        self.ticket.is_away = self._session.is_away
        if self._may_end and (refusal := self._refusal(event, now)):
            self._may_end = False
            # Nor does the client go on with another session, if it has just asked for that.
            given = [one for one in given if not isinstance(one, Resume)]
            given += self._session.handle(ClientDismissed(refusal), now)
        return given

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        return self._session.is_over

    @property
    def tally(self) -> Tally:
        """What the session has carried."""
        return self._session.tally

    @property
    def deadline(self) -> float | None:
        """When to handle `DeadlineReached`; may change with each input."""
        own = self.ticket.deadline if self._may_end else None
        deadline = self._session.deadline
        if own is None or deadline is None:
            return deadline if own is None else own
        return min(own, deadline)

    @property
    def reading(self) -> Reading:
        """Which sides the shell may read from now; may change with each input."""
        return self._session.reading

    @property
    def read_since(self) -> float:
        """Since when the client is read, in the shell's monotonic seconds; it may not be, now."""
        return self._session.read_since

    def _refusal(self, event: Input, now: float) -> Refusal | None:
        if isinstance(event, ClientFrame | Decoded):
            tally = self._session.tally
            frames, audio_s = tally.frames[Side.CLIENT], tally.audio_s[Side.CLIENT]
            refusal = self.ticket.charge(frames - self._frames, audio_s - self._audio_s, now)
            self._frames, self._audio_s = frames, audio_s
            if refusal is not None:
                return refusal
        return self.ticket.expired(now)
