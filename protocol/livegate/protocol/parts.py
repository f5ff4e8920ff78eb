"""What the parts of one session share."""

import attrs

from livegate.protocol.client import Client
from livegate.protocol.flow import Flow
from livegate.protocol.hearing import Hearing
from livegate.protocol.limits import Limits
from livegate.protocol.line import Line
from livegate.protocol.options import SessionOptions
from livegate.protocol.outbox import Outbox
from livegate.protocol.tally import Tally
from livegate.protocol.terms import Terms
from livegate.protocol.timers import TimerTable


@attrs.frozen
class Parts:
    """One of each, for one session."""

    limits: Limits
    timers: TimerTable
    """The clock and all that is waited for."""
    flow: Flow
    """What is on its way."""
    line: Line
    """What waits for Gemini."""
    out: Outbox
    """What the shell has to do."""
    terms: Terms
    """The config."""
    tally: Tally
    """What was carried."""
    client: Client
    hearing: Hearing


def parts_of(options: SessionOptions) -> Parts:
    """Return the parts of a new session."""
    limits = options.limits
    timers = TimerTable()
    flow = Flow(limits)
    line = Line(flow, limits.held_item_bytes)
    out = Outbox(flow, options.session_id)
    terms = Terms(options)
    tally = Tally(flow)
    client = Client(limits, timers=timers, flow=flow, out=out, terms=terms)
    hearing = Hearing(limits, timers, line, out, tally)
    return Parts(limits, timers, flow, line, out, terms, tally, client, hearing)
