"""Plants bugs in a copy of the core, and asks which test of the core's suite finds each.

    python tests/support/planted_bugs.py
    python tests/support/planted_bugs.py twice         only the bugs whose name has this in it

Each bug is a plausible slip: a line that is missing, or does nearly the right thing.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).parent.parent.parent
_JOBS: Final = 2
_SUITE: Final = sorted(
    (
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests" / "protocol").glob("test_*.py")
        if not path.name.startswith(("test_emulator", "test_purity"))
    ),
    key=lambda name: "test_session" not in name,  # the quickest to find most
)
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


@attrs.frozen
class Bug:
    """One slip."""

    name: str
    file: str
    old: str
    new: str
    unseen: str = ""
    """Why a client and Gemini cannot see it, if they cannot."""


_FAST: Final = "sockets as fast as can be have nothing queued"
_OLD: Final = "no peer speaks on what has ended"
_SOON: Final = "how long a pause is, is the gateway's own affair"
_RARE: Final = "only back from taking turns by hand, and a minute seldom comes to that"
_WORDS: Final = "the words of an error are for people"
_OPERATOR: Final = "the operator has set nothing here"
_HUGE: Final = "frames of megabytes, and answers of 64 KiB, are left to the tables"
BUGS: Final = (
    Bug("content is given twice", "session.py", "self._deliver(item)\n", "self._deliver(item)\n                self._deliver(item)\n"),
    Bug("content is lost when a link opens", "session.py", "        self._answer_configs()\n        self._advance()\n\n    def _answer", "        self._answer_configs()\n        self._line.drop_content()\n        self._advance()\n\n    def _answer"),
    Bug("the line is a stack", "line.py", "self._held.append(Held(item, size))", "self._held.appendleft(Held(item, size))"),
    Bug("a config overtakes content", "session.py", "        self._hold(delta, size)\n", "        self._hold(delta, size)\n        self._line._held.rotate()\n"),
    Bug("a second config rides along unseen", "session.py", "                self._terms.absorb(item, self._line.pop().size)\n", "                self._absorb()\n"),
    Bug("stale sound after an interruption", "turns.py", "if self._is_muted or not plan.wants_sound:", "if not plan.wants_sound:"),
    Bug("stale text after an interruption", "turns.py", "return [] if self._is_muted else [reply]", "return [reply]"),
    Bug("the mute outlives its turn", "turns.py", "return self._muted == self.number", "return 0 < self._muted <= self.number"),
    Bug("queued sound is not dropped", "session.py", "        self._out.drop_sound(turn)\n", "", _FAST),
    Bug("sound is sent without its turn", "outbox.py", "turn=reply.turn", "turn=0", _FAST),
    Bug("an interruption is told for the next turn", "turns.py", "return self.completed\n        return self.hush()", "return self.number\n        return self.hush()"),
    Bug("the old link stays open at a hand-over", "session.py", "        self._hang_up()\n        self._absorb()\n", "        self._absorb()\n"),
    Bug("the link outlives the session", "session.py", "        if self._is_linked:\n            self._out.close_upstream()\n        self._step(trigger)", "        self._step(trigger)"),
    Bug("a closed session keeps its timers", "session.py", "        self._timers.clear()\n", ""),
    Bug("no timer on a setup", "session.py", "        self._timers.set(Timer.SETUP, self._now + self._limits.setup_s)\n", ""),
    Bug("a pause is not flushed", "speech.py", "                    self._timers.set(Timer.FLUSH, flush_at)\n", "                    pass\n"),
    Bug("slices of a second are cut apart", "speech.py", "now + frame.seconds + self", "now + self"),
    Bug("retries do not slow down", "session.py", "            self._failures += 1\n", "            self._failures = 1\n", _SOON),
    Bug("retries never speed up again", "session.py", "self._is_proven, self._failures = True, 0", "self._is_proven = True", _SOON),
    Bug("a config replaces the one before", "config.py", "{**self.values, **delta.values}", "{**delta.values}"),
    Bug("the operator's config wins", "config.py", "{**default.values, **self.values}", "{**self.values, **default.values}", _OPERATOR),
    Bug("the older config wins", "config.py", "{**self.values, **delta.values}", "{**delta.values, **self.values}"),
    Bug("null is a value", "config.py", "if value is not None})", "})"),
    Bug("a refused setting is sent", "config.py", "if name not in refused and not isinstance", "if not isinstance"),
    Bug("a config is applied by halves", "config.py", 'return _faulty("; ".join(faults)) if faults else Delta', "return Delta"),
    Bug("an alias hides the other spelling", "config.py", "        given[spelling] = name\n", "        given = {k: v for k, v in given.items() if v != name} | {spelling: name}\n"),
    Bug("a config is answered twice", "terms.py", "        deltas, self._unanswered = self._unanswered, []\n", "        deltas = self._unanswered\n"),
    Bug("a bad config is answered out of order", "session.py", "if delta.fault and not self._terms.size and not self._line.has_config:", "if delta.fault:"),
    Bug("a refused config stays", "terms.py", "        self._config = self._accepted\n", ""),
    Bug("an unseen config is undone", "session.py", "self._terms.roll_back() if is_refused else self._terms.give_up()", "self._terms.roll_back()"),
    Bug("what waits is dropped in silence", "session.py", "        sentence += self._drop_content()\n", "        self._drop_content()\n", _WORDS),
    Bug("what waits is kept though reported as dropped", "line.py", "before, self._held = self.size, configs\n", "before = self.size\n"),
    Bug("bytes in line are counted for ever", "session.py", "self._flow.sent(Side.UPSTREAM, self._line.pop().size)", "self._line.pop()"),
    Bug("bytes on a lost link are counted for ever", "session.py", "        self._flow.forget(Side.UPSTREAM)\n", ""),
    Bug("bytes of configs are counted for ever", "session.py", "        plan = self._terms.plan\n        self._flow.sent(Side.UPSTREAM, self._terms.size)\n", "        plan = self._terms.plan\n", _FAST),
    Bug("a slow client does not slow Gemini", "flow.py", "upstream=client_takes\n", "upstream=True\n", _FAST),
    Bug("short frames wait for free", "session.py", "        size = max(size, self._limits.held_item_bytes)\n", "", _FAST),
    Bug("the end of speech waits for free", "uplink.py", "return len(_SILENCE) if isinstance(frame, frames.AudioEnd) else 0", "return 0", _FAST),
    Bug("a handle is used for another model", "memory.py", "self._handle is not None and self._model == model", "self._handle is not None"),
    Bug("a forgotten handle is tried for ever", "session.py", "            self._memory.forget()\n", ""),
    Bug("a lost conversation is hidden", "memory.py", "return Loss.ALL if had_history else Loss.NOTHING", "return Loss.NOTHING"),
    Bug("a handle from mid-turn counts as covering", "memory.py", "self._is_covered = self._is_covered or is_idle", "self._is_covered = True"),
    Bug("an old link is listened to", "outbox.py", "inputs.UpstreamGone():\n                return is_linked and event.link == self.upstream_link", "inputs.UpstreamGone():\n                return is_linked", _OLD),
    Bug("a closed session goes on", "session.py", "        if self._phase is Phase.CLOSED:\n            return []\n", "", _OLD),
    Bug("a frame after the close", "session.py", "        self._reply(replies.error(code, sentence))\n        self._out.close_client(FATAL[code])\n", "        self._out.close_client(FATAL[code])\n        self._reply(replies.error(code, sentence))\n"),
    Bug("base64 is not checked", "frames.py", "    audio.check_base64(field, text)\n", ""),
    Bug("padding is not checked", "audio.py", "    if len(text) % 4:\n", "    if not text:\n"),
    Bug("half samples are passed on", "frames.py", "        audio.check_samples(field, audio.decoded_size(text))\n", "        pass\n"),
    Bug("depth is not checked", "frames.py", "    if _json.depth(value, limits.free_json_depth) > limits.free_json_depth:\n", "    if False:\n"),
    Bug("Gemini's depth is not checked", "gemini.py", "    if any(_json.depth(value, _MAX_DEPTH) > _MAX_DEPTH for value in _free_json(wire)):\n", "    if False:\n"),
    Bug("size is not checked", "frames.py", '    if len(payload) > limits.frame_bytes:\n        raise _too_large("a frame", len(payload), limits.frame_bytes)\n    try:', "    try:", _HUGE),
    Bug("NUL is passed on", "frames.py", '    if "\\0" in text:\n', "    if False:\n"),
    Bug("a deep document escapes", "_json.py", "(msgspec.DecodeError, UnicodeError, RecursionError)", "(msgspec.DecodeError, UnicodeError)"),
    Bug("bad UTF-8 escapes", "_json.py", "(msgspec.DecodeError, UnicodeError, RecursionError)", "(msgspec.DecodeError, RecursionError)"),
    Bug("a thought is the answer", "gemini.py", "Thought(part.text) if part.thought else ModelText(part.text)", "ModelText(part.text)"),
    Bug("text and transcription are both shown", "turns.py", "if not text or self._is_transcribed:", "if not text:"),
    Bug("a late transcription repeats the text", "turns.py", "if self._is_written or not plan.speaks:", "if not plan.speaks:", _HUGE),
    Bug("only the first part is read", "gemini.py", "    parts = content.model_turn.parts or [] if content.model_turn else []\n", "    parts = (content.model_turn.parts or [])[:1] if content.model_turn else []\n"),
    Bug("a turn ends before its last words", "gemini.py", "    found: list[Message] = []\n    if wire.setup_complete", "    found: list[Message] = _ending(wire)\n    if wire.setup_complete"),
    Bug("a result for no call goes to Gemini", "turns.py", "if one.id not in self._calls:", "if False:"),
    Bug("a continued result closes its call", "turns.py", "if not one.will_continue:", "if True:"),
    Bug("lost calls are not cancelled", "turns.py", "            found.append(replies.tool_call_cancelled(list(self._calls)))\n", ""),
    Bug("two ends of one activity", "speech.py", "            case frames.ActivityEnd() if may_pause:\n                self.forget()\n", "", _RARE),
    Bug("a greeting with every link", "session.py", '            self._greeting = ""\n', ""),
    Bug("a fatal error is said to be retryable", "replies.py", "retryable=code in RETRYABLE", "retryable=code not in RETRYABLE"),
)  # fmt: skip


@contextlib.contextmanager
def planted(bug: Bug) -> Generator[Path]:
    """Yield a folder to import a core from that has this bug."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "protocol"
        shutil.copytree(ROOT / "protocol", copy, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / "livegate" / "protocol" / bug.file
        source = path.read_text()
        if source.count(bug.old) != 1:
            raise ValueError(f"{bug.name}: {bug.file} has changed")
        path.write_text(source.replace(bug.old, bug.new))
        yield copy


def judge(bug: Bug) -> str:
    """Return the test that finds a bug, or nothing."""
    with planted(bug) as copy:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *_SUITE],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(copy), "LIVEGATE_HYPOTHESIS_PROFILE": "mutants"},
            capture_output=True,
            text=True,
            check=False,
        )
    found = _FAILED.search(done.stdout)
    return found.group(1).removeprefix("tests/protocol/") if found else ""


def main(wanted: str = "") -> int:
    """Judge all bugs; return the exit code."""
    bugs = [bug for bug in BUGS if wanted in bug.name]
    with ThreadPoolExecutor(_JOBS) as pool:
        found = list(pool.map(judge, bugs))
    for bug, test in zip(bugs, found, strict=True):
        print(f"{bug.name:48} {test or 'SURVIVED'}")
    print(f"{len(bugs)} bugs planted, {found.count('')} survived")
    return int("" in found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
