"""What a gateway counts, for Prometheus.

Each gateway has a `Metrics` of its own, so that several can live in one process. The event loop
that runs the gateway feeds it and reads it: nothing here is for a second thread. A message costs
nothing: what a session carries is in its `Tally` anyway, and is asked for when somebody looks.
"""

import enum
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from livegate.protocol import __version__, commands
from livegate.protocol.client import Return
from livegate.protocol.commands import Event, Scalar
from livegate.protocol.errors import CLOSES, FATAL, ErrorCode
from livegate.protocol.gemini import TOKENS
from livegate.protocol.inputs import Fault, Side
from livegate.protocol.states import ENDINGS, Trigger
from livegate.protocol.tally import Tally


class Kind(enum.Enum):
    """What a metric does."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@attrs.frozen
class Row:
    """One metric."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    """What a counter's label may be: anything else is counted as `OTHER`."""
    unit: int = 1
    """How many of what is counted make one of the metric: whole numbers add up exactly."""
    buckets: tuple[float, ...] = ()
    """A histogram's upper bounds."""


OTHER: Final = "other"
_DEAF: Final = 4001
_MOVED: Final = Trigger.CLIENT_MOVED.name.lower()
_MS: Final = 1000
# RFC 6455, 7.4.1, and its registry: what any WebSocket may be closed with.
_STANDARD: Final = (*range(1000, 1004), *range(1005, 1016))
_CODES: Final = tuple(map(str, sorted({*CLOSES, *_STANDARD})))

ACTIVE: Final = Row("sessions_active", Kind.GAUGE, "sessions that run")
ENDED: Final = Row(
    "sessions_total",
    Kind.COUNTER,
    "sessions that have ended, by what ended them",
    ("outcome",),
    tuple(trigger.name.lower() for trigger in ENDINGS),
)
FAILED: Final = Row(
    "session_faults_total", Kind.COUNTER, "sessions that a fault of the gateway ended, with 1011"
)
CLIENT_CLOSES: Final = Row(
    "client_close_total",
    Kind.COUNTER,
    "closes of sessions' WebSockets, by whichever side",
    ("code",),
    _CODES,
)
RESUMES: Final = Row(
    "resumes_total",
    Kind.COUNTER,
    "clients that came back: to their session, with all that they had missed or a part of it; to "
    "another, with what their token says, or anew, for it says nothing",
    ("result",),
    (*Return,),
)
UPSTREAM_CLOSES: Final = Row(
    "upstream_close_total",
    Kind.COUNTER,
    "closes of links by Gemini",
    ("code",),
    tuple(map(str, _STANDARD)),
)
UNREACHED: Final = Row(
    "upstream_failures_total",
    Kind.COUNTER,
    "links that could not be opened",
    ("fault",),
    tuple(fault.name.lower() for fault in Fault if fault is not Fault.RESTING),
)
HELD_OFF: Final = Row(
    "upstream_held_off_total",
    Kind.COUNTER,
    "links that were not even tried, for the breaker was open",
)
BREAKER: Final = Row(
    "breaker_open",
    Kind.GAUGE,
    "1 while Gemini cannot be reached, and only one session at a time tries; else 0",
)
QUEUED: Final = Row("queue_bytes", Kind.GAUGE, "bytes for clients that have not left yet")
DROPPED: Final = Row(
    "dropped_frames_total",
    Kind.COUNTER,
    "frames for clients that were thrown away: of sound that nobody shall hear any more",
    ("reason",),
    ("interrupted",),
)
DEAF: Final = Row(
    "slow_consumers_total",
    Kind.COUNTER,
    f"clients cut with {_DEAF}, for they did not read (by livegate's own listener)",
)
SOUND: Final = Row(
    "audio_seconds_total",
    Kind.COUNTER,
    "sound as it plays, in from clients and out of Gemini",
    ("direction",),
    ("in", "out"),
    unit=_MS,
)
SPENT: Final = Row(
    "tokens_total", Kind.COUNTER, "tokens that Gemini says it has counted", ("type",), (*TOKENS,)
)
WAITED: Final = Row(
    "first_audio_seconds",
    Kind.HISTOGRAM,
    "from a question to the first sound of its answer",
    buckets=(0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0),
)
REFUSED: Final = Row(
    "admission_rejected_total",
    Kind.COUNTER,
    "clients refused before they had a session, by the error that they heard",
    ("reason",),
    (*FATAL,),
)
# A histogram, since a late wake is soon followed by good ones: a gauge would show only these.
LAG: Final = Row(
    "loop_lag_seconds",
    Kind.HISTOGRAM,
    "how late sessions' timers went off: that late is all else, too",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
)
BUILD: Final = Row("build_info", Kind.GAUGE, "always 1", ("version", "runtime"))

ROWS: Final = (
    ACTIVE,
    ENDED,
    FAILED,
    CLIENT_CLOSES,
    RESUMES,
    UPSTREAM_CLOSES,
    UNREACHED,
    HELD_OFF,
    BREAKER,
    QUEUED,
    DROPPED,
    DEAF,
    SOUND,
    SPENT,
    WAITED,
    REFUSED,
    LAG,
    BUILD,
)


class _Histogram:
    """How often a number was within each of a row's bounds."""

    def __init__(self, row: Row) -> None:
        self._bounds = row.buckets
        self._counts = [0] * (len(row.buckets) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def add_to(self, family: HistogramMetricFamily) -> None:
        bounds = [*map(str, self._bounds), "+Inf"]
        upto = [float(sum(self._counts[: at + 1])) for at in range(len(bounds))]
        family.add_metric([], list(zip(bounds, upto, strict=True)), self._sum)


class Metrics:
    """The numbers of one gateway.

    Args:
        runtime: What it runs on.
        live: Returns what each session that runs now has carried.
        is_resting: Returns whether the breaker is not closed.
    """

    def __init__(
        self,
        runtime: str,
        live: Callable[[], Collection[Tally]],
        is_resting: Callable[[], bool] = lambda: False,
    ) -> None:
        self._runtime = runtime
        self._live = live
        self._is_resting = is_resting
        self._counts = Counter[tuple[Row, str]]()
        self._histograms = {row: _Histogram(row) for row in ROWS if row.kind is Kind.HISTOGRAM}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def page(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self._registry)

    # What happened

    def take(self, line: commands.Log) -> None:
        """Count what a session has logged."""
        match line.event:
            case Event.SESSION_CLOSED:
                self._take_end(line.fields)
            case Event.CLIENT_AWAY:
                self._count(CLIENT_CLOSES, line.fields["code"])
            case Event.CLIENT_RETURNED:
                self._count(RESUMES, line.fields["result"])
                if "code" in line.fields:
                    self._count(CLIENT_CLOSES, line.fields["code"])
            case Event.UPSTREAM_LOST | Event.UPSTREAM_FAILED if "code" in line.fields:
                self._count(UPSTREAM_CLOSES, line.fields["code"])
            case Event.UPSTREAM_FAILED:
                self._count(UNREACHED, line.fields["fault"])
            case Event.UPSTREAM_HELD_OFF:
                self._count(HELD_OFF)
            case Event.ANSWER_BEGUN:
                self._histograms[WAITED].observe(float(line.fields["s"]))
            case _:
                pass

    def _take_end(self, fields: Mapping[str, Scalar]) -> None:
        self._count(ENDED, fields["why"])
        # No WebSocket ends where there is none, or where it goes on with another session.
        if "away" not in fields and fields["why"] != _MOVED:
            self._count(CLIENT_CLOSES, fields["code"])

    def refused(self, code: ErrorCode) -> None:
        """Count a client that was refused before it had a session."""
        self._count(REFUSED, code)

    def failed(self) -> None:
        """Count a session that a fault of the gateway ended."""
        self._count(FAILED)

    def deaf(self) -> None:
        """Count a client that was cut, for it did not read."""
        self._count(DEAF)

    def dropped(self, frames: int) -> None:
        """Count frames that were taken back before they left."""
        self._count(DROPPED, "interrupted", frames)

    def woke(self, late_s: float) -> None:
        """Take note of how late a timer went off."""
        self._histograms[LAG].observe(max(0.0, late_s))

    def ended(self, tally: Tally) -> None:
        """Keep what a session has carried, which is no longer among the live ones."""
        self._counts.update(_carried(tally))

    def _count(self, row: Row, value: Scalar = "", by: int = 1) -> None:
        known = not row.labels or str(value) in row.values
        self._counts[row, str(value) if known else OTHER] += by

    # What Prometheus asks

    def collect(self) -> Iterator[Metric]:
        """Yield each metric as it stands."""
        live = self._live()
        counts = self._counts.copy()
        for tally in live:
            counts.update(_carried(tally))
        for row in ROWS:
            yield self._family(row, counts, live)

    def _family(
        self, row: Row, counts: Counter[tuple[Row, str]], live: Collection[Tally]
    ) -> Metric:
        name = f"livegate_{row.name}"
        match row.kind:
            case Kind.COUNTER:
                counter = CounterMetricFamily(name, row.meaning, labels=row.labels)
                for value in row.values or ("",):
                    counter.add_metric([value] * len(row.labels), counts[row, value] / row.unit)
                if others := counts[row, OTHER]:
                    counter.add_metric([OTHER], others / row.unit)
                return counter
            case Kind.HISTOGRAM:
                histogram = HistogramMetricFamily(name, row.meaning)
                self._histograms[row].add_to(histogram)
                return histogram
            case Kind.GAUGE:
                gauge = GaugeMetricFamily(name, row.meaning, labels=row.labels)
                gauge.add_metric(*self._gauged(row, live))
                return gauge

    def _gauged(self, row: Row, live: Collection[Tally]) -> tuple[list[str], float]:
        """Return a gauge's labels and its value."""
        if row is BUILD:
            return [__version__, self._runtime], 1
        if row is BREAKER:
            return [], self._is_resting()
        return [], len(live) if row is ACTIVE else sum(tally.queued_bytes for tally in live)


def _carried(tally: Tally) -> dict[tuple[Row, str], int]:
    """Return what a session has carried so far, as it is counted."""
    return {
        (SOUND, "in"): round(tally.audio_s[Side.CLIENT] * _MS),
        (SOUND, "out"): round(tally.audio_s[Side.UPSTREAM] * _MS),
        **{(SPENT, kind): count for kind, count in tally.tokens.items()},
    }
