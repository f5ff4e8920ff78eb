"""What a gateway counts: exact numbers after conversations in memory, on virtual time."""

import base64
from collections.abc import Callable
from functools import partial
from typing import Final

import attrs
import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st

import exposition
import livegate.asyncio
import livegate.trio
from exposition import Samples
from livegate.protocol import Limits, __version__, commands
from livegate.protocol.client import Return
from livegate.protocol.commands import LEVELS, Event, Scalar
from livegate.protocol.errors import ErrorCode
from livegate.protocol.flow import Flow
from livegate.protocol.inputs import Side
from livegate.protocol.tally import Tally
from livegate.protocol.transcript import Transcript, parse
from livegate.shell.metrics import ROWS, Kind, Metrics
from livegate.shell.target import target
from shell_player import Runtime, ShellPlayer
from virtual import ON

NOWHERE: Final = target("ws://192.0.2.1", "canary")
GATEWAYS: Final = {"asyncio": livegate.asyncio.Gateway, "trio": livegate.trio.Gateway}
SOUND: Final = base64.b64encode(bytes(24_000)).decode()
PART: Final = f'{{"inlineData":{{"mimeType":"audio/pcm;rate=24000","data":"{SOUND}"}}}}'
BEGUN: Final = """client opens
client> {"type":"config","data":{"response_modalities":["AUDIO"]}}
gemini dialled
gemini opens
gemini< {"setup":{}}
gemini> {"setupComplete":{}}
client< {"type":"system"}
client< {"type":"config_success"}
client> {"type":"text","text":"Hello"}
gemini< {"clientContent":{}}
wait 0.7
"""
ANSWERED: Final = f"""{BEGUN}gemini> {{"serverContent":{{"modelTurn":{{"parts":[{PART}]}}}}}}
client< {{"type":"audio"}}
gemini> {{"serverContent":{{"turnComplete":true}},"usageMetadata":{{"promptTokenCount":7,"responseTokenCount":12}}}}
client< {{"type":"turn_complete"}}
"""
SPOKEN: Final = {
    'audio_seconds_total{direction="out"}': 0.5,
    'tokens_total{type="prompt"}': 7,
    'tokens_total{type="response"}': 12,
    'first_audio_seconds_bucket{le="0.75"}': 1,
    'first_audio_seconds_bucket{le="1.0"}': 1,
    'first_audio_seconds_bucket{le="1.5"}': 1,
    'first_audio_seconds_bucket{le="2.0"}': 1,
    'first_audio_seconds_bucket{le="3.0"}': 1,
    'first_audio_seconds_bucket{le="5.0"}': 1,
    'first_audio_seconds_bucket{le="10.0"}': 1,
    'first_audio_seconds_bucket{le="+Inf"}': 1,
    "first_audio_seconds_count": 1,
    "first_audio_seconds_sum": 0.7,
}
LEFT: Final = {
    'sessions_total{outcome="client_gone"}': 1,
    'client_close_total{code="1000"}': 1,
}


@attrs.frozen
class Played:
    """What a gateway had counted."""

    meanwhile: Samples
    """While its session still ran, though all had been said."""
    after: Samples


def play(runtime: str, told: str) -> Played:
    """Play a conversation on a gateway, at whose end the client says goodbye."""
    conversation: Transcript = parse("a conversation", told)
    pages: list[Callable[[], bytes]] = []
    meanwhile: list[Samples] = []

    async def converse(lent: Runtime) -> None:
        player = ShellPlayer(conversation, lent)
        gateway = GATEWAYS[runtime](NOWHERE, conversation.options, dial=player.dial)
        pages.append(gateway.metrics.page)
        await player.play(gateway)
        meanwhile.append(exposition.told(gateway.metrics.page()))

    ON[runtime](converse)
    return Played(meanwhile[0], exposition.told(pages[0]()))


def without_lag(samples: Samples) -> Samples:
    """Return all but how late timers were: that they were never late is left to one test."""
    return {name: n for name, n in samples.items() if not name.startswith("loop_lag")}


@pytest.mark.parametrize("runtime", ON)
def test_answer(runtime: str) -> None:
    """What a session carries is counted while it runs, and stays counted when it has ended."""
    played = play(runtime, ANSWERED)
    assert without_lag(played.meanwhile) == pytest.approx({**SPOKEN, "sessions_active": 1})
    assert without_lag(played.after) == pytest.approx({**SPOKEN, **LEFT})


@pytest.mark.parametrize("runtime", ON)
def test_interrupted(runtime: str) -> None:
    """Sound that is taken back before it has left is counted as frames."""
    content = f'{{"modelTurn":{{"parts":[{PART},{PART}]}},"interrupted":true}}'
    told = f'{BEGUN}gemini> {{"serverContent":{content}}}\nclient< {{"type":"interrupted"}}\n'
    after = play(runtime, told).after
    assert after['dropped_frames_total{reason="interrupted"}'] == 2
    assert after['audio_seconds_total{direction="out"}'] == 1.0


@pytest.mark.parametrize("runtime", ON)
def test_troubles(runtime: str) -> None:
    """Each end of a link is counted by its code, and each dial that failed by its fault."""
    told = f"""{ANSWERED}gemini closes 1011 Internal error encountered.
client> {{"type":"text","text":"Again"}}
gemini dialled
gemini opens
gemini< {{"setup":{{}}}}
gemini closes 4321 whatever this is
wait 0.5
gemini dialled
gemini unreachable refused
client leaves 4001
"""
    after = without_lag(play(runtime, told).after)
    assert after == pytest.approx(
        {
            **SPOKEN,
            'upstream_close_total{code="1011"}': 1,
            'upstream_close_total{code="other"}': 1,
            'upstream_failures_total{fault="refused"}': 1,
            'sessions_total{outcome="client_gone"}': 1,
            'client_close_total{code="4001"}': 1,  # its own word: we did not find it slow
        }
    )


@pytest.mark.parametrize("runtime", ON)
def test_held_off(runtime: str) -> None:
    """A link that was not even tried is no failure of the network, and counted apart."""
    told = """client opens
client> {"type":"text","text":"Hello"}
gemini dialled
gemini unreachable resting
"""
    after = without_lag(play(runtime, told).after)
    assert after == {**LEFT, "upstream_held_off_total": 1}


RETURNED: Final = """client opens v1
client> {"type":"config","data":{"resumable":true}}
gemini dialled
gemini opens
gemini< {"setup":{}}
gemini> {"setupComplete":{}}
client< {"type":"system"}
client< {"type":"config_success"}
client< {"type":"session"}
client leaves 1006
client returns 2
client< {"type":"resumed","recovered":true}
client< {"type":"session"}
client returns 3
client< {"type":"resumed","recovered":true}
client closed 4202
client leaves 4001
"""


@pytest.mark.parametrize("runtime", ON)
def test_returned(runtime: str) -> None:
    """Each return is counted, and each close of a WebSocket, though not that of a session twice."""
    after = without_lag(play(runtime, f"{RETURNED}wait 120\ngemini closed\n").after)
    assert after == {
        'resumes_total{result="replayed"}': 2,
        'client_close_total{code="1006"}': 1,
        'client_close_total{code="4202"}': 1,
        'client_close_total{code="4001"}': 1,
        'sessions_total{outcome="client_moved"}': 2,
        'sessions_total{outcome="client_gone"}': 1,
    }


@pytest.mark.parametrize("result", Return)
def test_returns(result: Return) -> None:
    """What a client came back to is told apart."""
    metrics = Metrics("trio", list[Tally])
    metrics.take(logged(Event.CLIENT_RETURNED, result=result))
    assert exposition.told(metrics.page()) == {f'resumes_total{{result="{result}"}}': 1}


NO_KEY: Final = """options: {"has_key": false}
client opens
client< {"type":"error"}
client closed 4200
"""
DEPLOYED: Final = """client opens
shutdown
client< {"type":"system"}
client closed 1012
"""
BAD_KEY: Final = """client opens
client> {"type":"text","text":"Hello"}
gemini dialled
gemini unreachable forbidden
client< {"type":"error"}
client closed 4201
"""
NOBODY: Final = """options: {"limits": {"retrying_s": 0.1}}
client opens
client> {"type":"text","text":"Hello"}
gemini dialled
gemini unreachable refused
client< {"type":"error"}
client closed 4101
"""


@pytest.mark.parametrize(
    ("told", "outcome", "code"),
    [
        (NO_KEY, "no_key", 4200),
        (DEPLOYED, "shutdown", 1012),
        (BAD_KEY, "link_denied", 4201),
        (NOBODY, "unreachable", 4101),
    ],
)
@pytest.mark.parametrize("runtime", ON)
def test_endings(runtime: str, told: str, outcome: str, code: int) -> None:
    """What ended a session, and by which code, is counted."""
    after = play(runtime, told).after
    assert after[f'sessions_total{{outcome="{outcome}"}}'] == 1
    assert after[f'client_close_total{{code="{code}"}}'] == 1
    assert "sessions_active" not in after


@pytest.mark.parametrize("runtime", ON)
def test_lag(runtime: str) -> None:
    """Each timer that goes off is one measure; on virtual time none is late."""
    opened = (
        "client opens\nwait 0.5\ngemini dialled\ngemini unreachable refused\n"
        "wait 1\ngemini dialled\n"
    )
    after = play(runtime, opened).after
    assert after["loop_lag_seconds_count"] == 2  # the grace, and the pause before a retry
    assert after['loop_lag_seconds_bucket{le="0.001"}'] == 2
    assert after.get("loop_lag_seconds_sum", 0) == pytest.approx(0, abs=1e-6)


def test_gateways_count_apart() -> None:
    """Several gateways in one process count for themselves, and not where others count."""
    gateways = [
        GATEWAYS[runtime](NOWHERE, parse("none", "client opens\n").options) for runtime in ON
    ]
    gateways[0].metrics.refused(ErrorCode.UNAUTHORIZED)
    first, second = (exposition.read(one.metrics.page()) for one in gateways)
    refused = 'admission_rejected_total{reason="unauthorized"}'
    assert (first[refused], second[refused]) == (1, 0)
    assert first[f'build_info{{runtime="asyncio",version="{__version__}"}}'] == 1
    assert second[f'build_info{{runtime="trio",version="{__version__}"}}'] == 1
    assert b"livegate" not in prometheus_client.generate_latest()


# The counting itself


def a_tally() -> Tally:
    """Return a tally of nothing yet."""
    return Tally(Flow(Limits()))


def logged(event: Event, **fields: Scalar) -> commands.Log:
    """Return a line of a session's log."""
    return commands.Log(LEVELS[event], event, fields)


def test_a_page_says_all() -> None:
    """Each metric has its type and its meaning, and each label that can be known stands there."""
    page = Metrics("asyncio", list[Tally]).page().decode()
    found = exposition.read(page.encode())
    for row in ROWS:
        assert f"# HELP livegate_{row.name} {row.meaning}\n" in page
        assert f"# TYPE livegate_{row.name} {row.kind.value}\n" in page
        for value in row.values:
            assert found[f'{row.name}{{{row.labels[0]}="{value}"}}'] == 0
        for bound in row.buckets:
            assert found[f'{row.name}_bucket{{le="{bound}"}}'] == 0
    assert "_created" not in page


def test_slow_consumer() -> None:
    """Who is cut for not reading is counted; who says so itself is not."""
    metrics = Metrics("trio", list[Tally])
    metrics.deaf()
    metrics.take(logged(Event.SESSION_CLOSED, why="client_gone", code=4001))
    found = exposition.told(metrics.page())
    assert found == {
        "slow_consumers_total": 1,
        'client_close_total{code="4001"}': 1,
        'sessions_total{outcome="client_gone"}': 1,
    }


def test_queue() -> None:
    """What waits for clients is told of all sessions together, as it stands."""
    flows = [Flow(Limits()), Flow(Limits())]
    metrics = Metrics("trio", lambda: [Tally(flow) for flow in flows])
    for size, flow in enumerate(flows, 100):
        flow.add(Side.CLIENT, size)
        flow.add(Side.UPSTREAM, 7)
    assert exposition.told(metrics.page()) == {"sessions_active": 2, "queue_bytes": 201}


def test_breaker() -> None:
    """Whether the breaker holds sessions off is told as it stands."""
    is_resting = False
    metrics = Metrics("trio", list[Tally], lambda: is_resting)
    assert exposition.told(metrics.page()) == {}
    is_resting = True
    assert exposition.told(metrics.page()) == {"breaker_open": 1}


def test_a_fault_of_ours() -> None:
    """A session that the gateway's own fault ended is counted."""
    metrics = Metrics("trio", list[Tally])
    metrics.failed()
    assert exposition.told(metrics.page()) == {"session_faults_total": 1}


def test_late() -> None:
    """How late a timer was is told; one that is early by its clock's grain is on time."""
    metrics = Metrics("trio", list[Tally])
    for late_s in (0.02, -1e-9, 7.0):
        metrics.woke(late_s)
    found = exposition.read(metrics.page())
    assert found['loop_lag_seconds_bucket{le="0.01"}'] == 1
    assert found['loop_lag_seconds_bucket{le="0.025"}'] == 2
    assert found['loop_lag_seconds_bucket{le="5.0"}'] == 2
    assert found["loop_lag_seconds_count"] == 3
    assert found["loop_lag_seconds_sum"] == pytest.approx(7.02)


SPANS: Final = st.lists(st.tuples(st.sampled_from(Side), st.floats(0, 1e4)), max_size=5)


@given(st.lists(SPANS, min_size=1, max_size=5))
def test_counters_never_go_back(sessions: list[list[tuple[Side, float]]]) -> None:
    """Whatever is carried, and whoever ends meanwhile, no counter is ever less than before."""
    live = [a_tally() for _ in sessions]
    metrics = Metrics("asyncio", lambda: live)
    before = exposition.read(metrics.page())

    def look() -> None:
        nonlocal before
        now = exposition.read(metrics.page())
        assert [n for n in now if "_total" in n and now[n] < before.get(n, 0)] == []
        before = now

    for tally, spans in zip(tuple(live), sessions, strict=True):
        for side, seconds in spans:
            grow = tally.heard if side is Side.CLIENT else partial(tally.spoke, now=0.0)
            grow(seconds)
            look()
        live.remove(tally)
        metrics.ended(tally)
        look()


@given(st.lists(st.tuples(st.text(), st.integers(0, 70_000)), max_size=20))
def test_labels_are_bounded(odd: list[tuple[str, int]]) -> None:
    """Whatever a peer says, there is no more on the page than all that is known, and `other`."""
    metrics = Metrics("asyncio", list[Tally])
    known = len(exposition.read(metrics.page()))
    for text, code in odd:
        metrics.take(logged(Event.SESSION_CLOSED, why=text, code=code))
        metrics.take(logged(Event.UPSTREAM_LOST, code=code, reason=text))
        metrics.take(logged(Event.UPSTREAM_FAILED, fault=text))
    others = sum(row.kind is Kind.COUNTER and bool(row.labels) for row in ROWS)
    assert len(exposition.read(metrics.page())) <= known + others
