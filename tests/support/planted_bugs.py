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
_GIVEN_UP: Final = "only if sound is given up in mid-answer, and a minute seldom comes to that"
_WORDS: Final = "the words of an error are for people"
_OPERATOR: Final = "the operator has set nothing here"
_HUGE: Final = "frames of megabytes, and answers of 64 KiB, are left to the tables"
_AT_ONCE: Final = "a decoder that takes no time has nothing under way"
_FINISHED: Final = "nobody sends more of a recording that may have been refused"
_MOMENT: Final = "two clocks seldom end in the same moment"
_HOUR: Final = "an hour of one conversation is seldom in a minute"
_GONE: Final = "seldom is such sound all that is gone; the scenes have it"
_COUNTED: Final = "what is counted is for the operator"
BUGS: Final = (
    Bug("content is given twice", "session.py", "self._conversation.deliver(item)\n", "self._conversation.deliver(item)\n                self._conversation.deliver(item)\n"),
    Bug("content is lost when a link opens", "leg.py", "            self._conversation.seed()\n        self.answer_configs()\n", "            self._conversation.seed()\n        self._line.drop_content()\n        self.answer_configs()\n"),
    Bug("the line is a stack", "line.py", "self._held.append(self._counted(item, size))", "self._held.appendleft(self._counted(item, size))"),
    Bug("a config overtakes content", "session.py", "        self._line.push(delta, size)\n", "        self._line.push(delta, size)\n        self._line._held.rotate()\n"),
    Bug("a second config rides along unseen", "session.py", "                self._terms.absorb(item, self._line.pop())\n", "                self._leg.absorb()\n"),
    Bug("stale sound after an interruption", "turns.py", "if self._is_muted or not plan.wants_sound:", "if not plan.wants_sound:"),
    Bug("stale text after an interruption", "turns.py", "return [] if self._is_muted else [reply]", "return [reply]"),
    Bug("the mute outlives its turn", "turns.py", "return self._muted == self.number", "return 0 < self._muted <= self.number"),
    Bug("an interrupted answer is played at its end", "turns.py", "            self._playback.forget()\n", ""),
    Bug("a lost link swallows what was collected", "turns.py", "            found += self._playback.flush()\n", ""),
    Bug("a whole answer waits until it would have been heard", "turns.py", "[*self._playback.flush(), replies.generation_complete(self.number)]", "[replies.generation_complete(self.number)]"),
    Bug("a whole answer comes after its end", "turns.py", "        found = self._playback.flush() + self._unkept()\n", "        found = self._unkept()\n"),
    Bug("what was collected is played twice", "playback.py", "        self.forget()\n", ""),
    Bug("one file has two rates", "playback.py", "has_room and kind == self._kind", "has_room"),
    Bug("plain sound overtakes what was collected", "playback.py", "if delivery.is_plain and not self._collected:", "if delivery.is_plain:"),
    Bug("collecting has no bound", "playback.py", "if has_room and kind", "if kind", _HUGE),
    Bug("sound that is not wanted any more", "replies.py", "        return plan.wants_sound\n", "        return True\n", _GIVEN_UP),
    Bug("bytes are sent as text", "outbox.py", "reply.payload, reply.is_text, turn=", "reply.payload, turn="),
    Bug("a file has the wrong length", "playback.py", '(b"RIFF", _WAV_REST + size', '(b"RIFF", size'),
    Bug("queued sound is not dropped", "client.py", "        self._out.drop_sound(turn)\n", "", _FAST),
    Bug("sound is sent without its turn", "outbox.py", "turn = reply.turn if reply.is_sound else 0", "turn = 0", _FAST),
    Bug("an interruption is told for the next turn", "turns.py", "return self.completed\n        return self.hush()", "return self.number\n        return self.hush()"),
    Bug("the old link stays open at a hand-over", "leg.py", "  # it was good enough until now\n        self._hang_up()\n", "\n"),
    Bug("the link outlives the session", "leg.py", "        if self._link.is_there:\n            self._out.close_upstream()\n        self._timers.clear()\n", "        self._timers.clear()\n"),
    Bug("a closed session keeps its timers", "leg.py", "        self._timers.clear()\n", ""),
    Bug("no timer on a setup", "leg.py", "        self._timers.set(Timer.SETUP, until)\n", ""),
    Bug("a pause is not flushed", "speech.py", "            self._timers.set(Timer.FLUSH, self._plays_until + self._limits.flush_after_s)\n", "            pass\n"),
    Bug("slices of a second are cut apart", "speech.py", "= now + min(frame.seconds, self._limits.slice_s)\n", "= now\n"),
    Bug("retries do not slow down", "link.py", "        self.failures += 1\n", "        self.failures = 1\n", _SOON),
    Bug("retries never speed up again", "link.py", "self.failures, self.failing_since, self.is_told = 0, None, False", "self.failing_since, self.is_told = None, False", _SOON),
    Bug("a config replaces the one before", "config.py", "{**self.values, **delta.values}", "{**delta.values}"),
    Bug("the operator's config wins", "config.py", "{**default.values, **self.values}", "{**self.values, **default.values}", _OPERATOR),
    Bug("the older config wins", "config.py", "{**self.values, **delta.values}", "{**delta.values, **self.values}"),
    Bug("null is a value", "config.py", "if value is not None})", "})"),
    Bug("a refused setting is sent", "config.py", "if name not in refused and not isinstance", "if not isinstance"),
    Bug("a config is applied by halves", "config.py", 'return _faulty("; ".join(faults)) if faults else Delta', "return Delta"),
    Bug("an alias hides the other spelling", "config.py", "        given[spelling] = name\n", "        given = {k: v for k, v in given.items() if v != name} | {spelling: name}\n"),
    Bug("a config is answered twice", "terms.py", "        deltas, self._unanswered = self._unanswered, []\n", "        deltas = self._unanswered\n"),
    Bug("a bad config is answered out of order", "session.py", "if delta.fault and not self._terms.size and not self._line.has_config:", "if delta.fault:"),
    Bug("a refused config stays", "terms.py", "        self._config, self.plan = self._accepted, self._accepted_plan\n", ""),
    Bug("what waits is dropped in silence", "leg.py", "        sentence += self._drop_content()\n", "        self._drop_content()\n", _WORDS),
    Bug("what waits is kept though reported as dropped", "line.py", "before, self._held = self.size, configs\n", "before = self.size\n"),
    Bug("bytes in line are counted for ever", "line.py", "self._flow.sent(Side.UPSTREAM, self.pop())", "self.pop()"),
    Bug("bytes on a lost link are counted for ever", "leg.py", "        self._flow.forget(Side.UPSTREAM)\n", ""),
    Bug("bytes of configs are counted for ever", "leg.py", "        plan = self._terms.plan\n        self._flow.sent(Side.UPSTREAM, self._terms.size)\n", "        plan = self._terms.plan\n", _FAST),
    Bug("a slow client does not slow Gemini", "flow.py", "upstream=client_takes\n", "upstream=True\n", _FAST),
    Bug("short frames wait for free", "line.py", "Held(item, max(size, self._least))", "Held(item, size)", _FAST),
    Bug("the end of speech waits for free", "uplink.py", "return len(_SILENCE) if isinstance(frame, frames.AudioEnd) else 0", "return 0", _FAST),
    Bug("a handle is used for another model", "memory.py", "return self._handle if self._model == model else None", "return self._handle"),
    Bug("a forgotten handle is tried for ever", "leg.py", "        self._memory.forget()\n        self.step(Trigger.HANDLE_REFUSED)\n", "        self.step(Trigger.HANDLE_REFUSED)\n"),
    Bug("a lost conversation is hidden", "memory.py", "return (Loss.SOUND if is_seeded else Loss.ALL), lost", "return Loss.NOTHING, lost"),
    Bug("a handle from mid-turn counts as covering", "memory.py", "        if is_idle:\n            self._unsaved", "        if True:\n            self._unsaved"),
    Bug("an old link is listened to", "outbox.py", "inputs.UpstreamGone():\n                return is_linked and event.link == self.upstream_link", "inputs.UpstreamGone():\n                return is_linked", _OLD),
    Bug("a closed session goes on", "session.py", "        if self._leg.phase is Phase.CLOSED:\n            return []\n", "", _OLD),
    Bug("a frame after the close", "client.py", "        self.tell(replies.refused(refusal))\n        self._out.close_client(refusal.close)\n", "        self._out.close_client(refusal.close)\n        self.tell(replies.refused(refusal))\n"),
    Bug("base64 is not checked", "frames.py", "    audio.check_base64(field, text)\n", ""),
    Bug("padding is not checked", "audio.py", "    if len(text) % 4:\n", "    if not text:\n"),
    Bug("half samples are passed on", "intake.py", "whole = len(pcm) - len(pcm) % 2", "whole = len(pcm)"),
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
    Bug("a result for no call goes to Gemini", "turns.py", "if not any(call.id == one.id for call in self._calls):", "if False:"),
    Bug("a continued result closes its call", "turns.py", "            if one.will_continue:\n", "            if False:\n"),
    Bug("lost calls are not cancelled", "turns.py", "            found.append(replies.tool_call_cancelled([call.id for call in self._calls]))\n", ""),
    Bug("two ends of one activity", "speech.py", "            case frames.ActivityEnd() if may_pause:\n                self._intake.pause(is_said=True)\n                self.forget()\n", "", _RARE),
    Bug("a greeting with every link", "leg.py", '            self._greeting = ""\n', ""),
    Bug("a fatal error is said to be retryable", "replies.py", "retryable=code in RETRYABLE", "retryable=code not in RETRYABLE"),
    Bug("a recording's steps come in reverse", "hearing.py", "        if isinstance(item, frames.Pcm):\n            return False\n", ""),
    Bug("content overtakes a recording", "hearing.py", "self._line.push_first(sound,", "self._line.push(sound,"),
    Bug("a piece is decoded twice", "decoding.py", "Decode(piece.job, piece.kind, piece.data, ", "Decode(piece.job, piece.kind, piece.data * 2, "),
    Bug("a recording loses its first piece", "decoding.py", "step = (self._flush() if item.job != self.job else None) or self._give(item)", "step = self._flush() if item.job != self.job else self._give(item)"),
    Bug("the rest of a recording is not asked for", "decoding.py", "self._has_more = event.has_more\n", "self._has_more = False\n"),
    Bug("a whole recording does not end the speech", "hearing.py", "(is_whole and not isinstance(self._line.head, frames.AudioEnd))", "False"),
    Bug("a whole recording is ended by silence, too", "speech.py", "piece is self._last and (is_whole or", "piece is self._last and (False or"),
    Bug("a trailer ends a recording again", "hearing.py", "return was_unended or not plan.detects_activity", "return True"),
    Bug("sound behind a whole recording never ends", "speech.py", "piece is self._last and (is_whole or (has_failed and not has_sound))", "is_whole or (has_failed and not has_sound)"),
    Bug("a pause ends what is not decoded", "speech.py", " and not self._undecoded and", " and"),
    Bug("the clock does not wait for a recording", "speech.py", "                self._undecoded += 1\n                self._timers.stop(Timer.FLUSH)\n", "                self._undecoded += 1\n"),
    Bug("a recorder that stops is waited for", "speech.py", "        else:\n            self._listen(may_pause=may_pause)\n", ""),
    Bug("a header is speech that stops", "speech.py", "if seconds or self._plays_until is not None:", "if True:"),
    Bug("a piece is over when it comes", "speech.py", "piece.came_at + min(seconds, self._limits.slice_s)", "piece.came_at"),
    Bug("dropped pieces are waited for", "speech.py", "        self._undecoded = 0\n        self.forget()\n", "        self.forget()\n"),
    Bug("a second recording is more of the first", "intake.py", "            self._job += 1\n", "            self._job = 1\n"),
    Bug("a whole recording goes on", "hearing.py", "        if event.end:\n            self._intake.ended(event.job, has_failed=False)\n", ""),
    Bug("half a sample is lost", "intake.py", "self._rest = pcm[whole:]", "self._rest = b''"),
    Bug("half a sample outlives its speech", "intake.py", '        """\n        self._rest = b""\n        if self._state is _Hearing.PCM:', '        """\n        if self._state is _Hearing.PCM:'),
    Bug("half a sample makes noise of a recording", "intake.py", "if self._rest and not self._is_new(frame.head):", "if self._rest:"),
    Bug("a cut beginning is PCM", "intake.py", "and kinds.may_begin(frame.content):", "and False:"),
    Bug("a pause between recordings that waited is none", "hearing.py", "has_paused = plan.detects_activity and", "has_paused = False and"),
    Bug("bytes are taken for base64", "intake.py", "frame.data, frame.is_base64, now, read_since)", "frame.data, not frame.is_base64, now, read_since)"),
    Bug("base64 is cut amid a byte", "media/decoder.py", "size = size // 3 * 4 if is_base64 else size", "size = size + 1 if is_base64 else size"),
    Bug("a refused recording goes on as PCM", "intake.py", "gives_up = _Hearing.FAILED if goes_on else _Hearing.NOTHING", "gives_up = _Hearing.NOTHING"),
    Bug("audio_end forgives no recording", "intake.py", "_Hearing.PAUSED if was_recording else _Hearing.NOTHING", "_Hearing.PAUSED if was_recording else self._state"),
    Bug("a text forgives no recording", "speech.py", "                self._intake.forgive()\n", "                pass\n"),
    Bug("a refused recording is tried again", "decoding.py", "        if self.has_failed(piece):\n            return None\n", "", _FINISHED),
    Bug("what was dropped is heard", "decoding.py", "self._is_unwanted = self.is_busy or self._has_more", "self._is_unwanted = False", _AT_ONCE),
    Bug("the rest of what was dropped is heard", "decoding.py", "self._is_unwanted = self.is_busy or self._has_more", "self._is_unwanted = self.is_busy", _AT_ONCE),
    Bug("two steps at a time", "hearing.py", "        if self._decoding.is_busy:\n            return True\n", "", _AT_ONCE),
    Bug("recordings wait for no room", "hearing.py", "        if isinstance(item, frames.Piece) and self._line.has_much_before:\n            return True  # until Gemini has taken what came of it so far\n", "", _FAST),
    Bug("the decoder outlives the session", "session.py", "        self._hearing.stop()\n", "", _OLD),
    Bug("recordings are not counted", "hearing.py", "            self._tally.heard(sound.seconds)\n", "", _COUNTED),
    Bug("a recording may be of any length", "decoding.py", "if self.piece_s > limits.recording_s:", "if False:", _HUGE),
    Bug("recordings may come at any pace", "decoding.py", "if self._total_s > age_s", "if False and age_s", _HUGE),
    Bug("a recording may cost anything", "decoding.py", "if self._job_cpu_s > self._job_s", "if False and self._job_s", _HUGE),
    Bug("one recording pays for the one before", "decoding.py", "            self._job_s = self._job_cpu_s = 0.0\n        self._given", "        self._given", _HUGE),
    Bug("a config is forgotten while Gemini is out of reach", "leg.py", "        pause_s = pause(", "        self._terms.roll_back()\n        pause_s = pause("),
    Bug("an announced end is ignored", "leg.py", "        self._is_to_end(Trigger.GO_AWAY, left_s)\n", ""),
    Bug("an announced end is waited for", "leg.py", "time_left_s - self._limits.go_away_margin_s", "time_left_s"),
    Bug("a link grows as old as it can", "leg.py", "        self._timers.set(Timer.AGE, min(now + self._limits.link_age_s, self._session_due))\n", ""),
    Bug("what Gemini takes for one session grows as old as it can", "leg.py", "min(now + self._limits.link_age_s, self._session_due)", "now + self._limits.link_age_s", _HOUR),
    Bug("the handle is forgotten at a hand-over", "leg.py", "        self._hang_up()\n        self.absorb()\n", "        self._hang_up()\n        self._memory.forget()\n        self.absorb()\n"),
    Bug("what was asked is asked again after a hand-over", "session.py", "                self._leg.step(Trigger.RELINK)\n", "                self._leg.step(Trigger.RELINK)\n                for _, text in self._conversation.history.turns[-1:]:\n                    self._line.push_first(frames.Text(text), 0)\n"),
    Bug("history is not told", "leg.py", "        if self._is_seeded:\n            self._conversation.seed()\n", ""),
    Bug("history is not announced", "leg.py", "encode_setup(plan.setup, handle, is_seeded=self._is_seeded)", "encode_setup(plan.setup, handle)"),
    Bug("history is told to a link that resumes", "leg.py", "self._is_seeded = handle is None and bool(", "self._is_seeded = bool("),
    Bug("history lacks what was said aloud", "conversation.py", "                self.history.said(USER, text)\n", "                pass\n"),
    Bug("history lacks the answers", "conversation.py", "                self.history.said(MODEL, text)\n", "                pass\n"),
    Bug("the loss of the latest is hidden", "memory.py", "(Loss.NOTHING if was_covered else Loss.LATEST)", "Loss.NOTHING"),
    Bug("no watchdog for an answer", "conversation.py", "            self._timers.set(Timer.ANSWER, self._timers.now + self._limits.answer_s)\n", "            pass\n"),
    Bug("an answer is given up though Gemini thinks", "conversation.py", "        if not isinstance(message, _NO_ANSWER):\n", "        if False:\n"),
    Bug("what was collected outlives an answer that is given up", "turns.py", "        found = self._playback.flush()\n        found.append(replies.turn_complete(self.number, replies.NO_ANSWER", "        found = list[Reply]()\n        found.append(replies.turn_complete(self.number, replies.NO_ANSWER"),
    Bug("no watchdog for a call", "conversation.py", "            self._timers.set(Timer.CALL, since + self._limits.call_s)\n", "            pass\n"),
    Bug("Gemini waits for a call that was given up", "conversation.py", "        self._out.send_upstream(gemini.encode_tool_response(late))\n", ""),
    Bug("a call is given up in the middle of its result", "turns.py", "                self._renew(one.id)\n", "                pass\n"),
    Bug("retries without a pause", "leg.py", "self._timers.set(Timer.RETRY, now + pause_s)", "self._timers.set(Timer.RETRY, now)"),
    Bug("retries for ever", "leg.py", "is_hopeless = now + pause_s >= since + self._limits.retrying_s", "is_hopeless = False"),
    Bug("nobody hears why nothing comes", "leg.py", '                self._client.tell(replies.system(f"{sentence}; trying again"))\n', ""),
    Bug("a link is renewed for nobody", "leg.py", "        if not (self._line or link.is_used):\n", "        if False:\n"),
    Bug("a lost link is not renewed", "leg.py", "            self.step(Trigger.LINK_LOST)\n", "            self.step(Trigger.LINK_UNUSED)\n"),
    Bug("a link that never worked is renewed at once", "leg.py", "        elif link.is_proven:\n", "        elif True:\n"),
    Bug("two questions hide that Gemini answers", "session.py", "        if has_answered:\n", "        if has_turned:\n"),
    Bug("a call is cut off by a hand-over", "conversation.py", "self.turns.state is Turn.IDLE and not self.turns.has_calls", "self.turns.state is Turn.IDLE"),
    Bug("whoever speaks is cut off by a hand-over", "conversation.py", "self.memory.is_covered and not self._hearing.is_speaking", "self.memory.is_covered"),
    Bug("a question by hand is cut off by a hand-over", "conversation.py", "self.is_idle and not self._uplink.is_active", "self.is_idle"),
    Bug("an open microphone keeps a link for ever", "leg.py", "is_moment = has_handle and is_between and self._memory.is_covered", "is_moment = False"),
    Bug("two timers that are due at once", "session.py", "            if not self._timers.take(timer):\n                continue  # one before it has changed all\n", "            self._timers.take(timer)\n", _MOMENT),
    Bug("trouble of long ago counts", "leg.py", "        if self.phase in (Phase.UNLINKED, Phase.REFUSED):\n            self._link.forgive()\n", ""),
    Bug("trouble before a good link counts", "leg.py", "            self._link.forgive()  # it was good enough until now\n", "            pass\n"),
    Bug("a failed dial takes the handle", "leg.py", "            self._failed(Trigger.LINK_FAILED, sentence)\n\n    def expired", "            self._resume_failed()\n            self._failed(Trigger.LINK_FAILED, sentence)\n\n    def expired"),
    Bug("a broken conversation is resumed for ever", "leg.py", "        self._link.refusals += 1\n", ""),
    Bug("what was missed comes twice", "client.py", "            self._out.reply(frame)\n", "            self._out.reply(frame)\n            self._out.reply(frame)\n"),
    Bug("one of the frames that were missed is lost", "missed.py", "if one.seq > seq]", "if one.seq > seq + 1]"),
    Bug("what was missed comes in reverse", "client.py", "        for frame in frames:\n", "        for frame in reversed(frames):\n"),
    Bug("all that is kept was missed", "missed.py", "if one.seq > seq]", "if one.seq >= seq]"),
    Bug("numbers begin again behind a return", "client.py", "        self._seq = max(self._seq, event.seq)\n", "        self._seq = 0\n"),
    Bug("numbers go on where the client was", "client.py", "        self._seq = max(self._seq, event.seq)\n", "        self._seq = event.seq\n"),
    Bug("the WebSocket that was replaced goes on getting frames", "client.py", "        self._out.client_link = event.link\n        self.is_away = False\n", "        self.is_away = False\n"),
    Bug("the WebSocket that was replaced stays open", "client.py", "        self._out.close_client(_REPLACED)\n", ""),
    Bug("the goodbye of a WebSocket that was replaced counts", "outbox.py", "                return event.link == self.client_link\n", "                return True\n"),
    Bug("recovered is always true", "client.py", "recovered=recovered)", "recovered=True)"),
    Bug("recovered is never true", "client.py", "recovered=recovered)", "recovered=False)"),
    Bug("who is back hears nothing of it", "client.py", "        self._out.reply(replies.resumed(event.seq, recovered=recovered))\n", ""),
    Bug("stale sound after a return", "client.py", "        self._flow.sent(Side.CLIENT, self._missed.drop_sound(turn))\n", ""),
    Bug("stale sound that is gone was missed", "missed.py", "            self._gone_sound = 0\n", "            pass\n", _GONE),
    Bug("nobody who is away ever comes too late", "client.py", "            self._timers.set(Timer.AWAY, self._timers.now + self._limits.resume_s)\n", ""),
    Bug("who is back comes too late all the same", "client.py", "        self._timers.stop(Timer.AWAY)\n", ""),
    Bug("a client that is away gets frames", "client.py", "            self._out.client_link = 0\n", ""),
    Bug("what comes while nobody is there is not kept", "client.py", "            if self._has_token:\n", "            if self._has_token and not self.is_away:\n"),
    Bug("what comes while nobody is there gives way to more", "client.py", "            self._missed.hold(self._seq + 1)\n", ""),
    Bug("what comes while nobody is there has no number", "client.py", "            self._seq += 1\n", "            self._seq += not self.is_away\n"),
    Bug("a goodbye is waited for", "client.py", " and code != 1000  # noqa: PLR2004\n", "\n"),
    Bug("who does not want to come back is waited for", "client.py", "self._has_token and self._terms.plan.resumable and", "self._has_token and"),
    Bug("no token for a handle", "conversation.py", "                self._client.seal(self.memory)\n", ""),
    Bug("no token for a config", "leg.py", "        if answered:\n            self._client.seal(self._memory)\n", ""),
    Bug("tokens for whoever speaks livegate.v1", "client.py", "        if self.is_v1 and self._terms.plan.resumable:\n", "        if self.is_v1:\n"),
    Bug("pieces are of the next turn", "replies.py", "b'\"turn\":%d,' % reply.turn", "b'\"turn\":%d,' % (reply.turn + 1)"),
    Bug("binary sound has its turn for its number", "replies.py", 'struct.pack(">II", seq % 2**32, reply.turn)', 'struct.pack(">II", reply.turn, seq % 2**32)'),
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
