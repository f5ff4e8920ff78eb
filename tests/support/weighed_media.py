"""What decoding a hostile recording costs: run as a program, it weighs those that it is given.

FFmpeg's memory is seen by the operating system alone, so each program's own is measured.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Final

import attrs

from hostile_media import corpus
from livegate.protocol.commands import Decode
from livegate.protocol.inputs import Answer, DecodeFailed
from livegate.protocol.limits import Limits
from livegate.protocol.media.decoder import READERS, STEP_BYTES, Decoder
from livegate.protocol.media.kinds import Kind, begins
from livegate.shell.decoding import new_decoder

KIB: Final = 1024
MIB: Final = 1024 * KIB
_MOST_S: Final = Limits().recording_s
_MOST_BYTES: Final = 16 * STEP_BYTES
_STATUS: Final = Path("/proc/self/status")
_LONG_S: Final = 0.008
"""A step that is looked at again."""
_DEAR_S: Final = 1.2
"""What is weighed again if it takes longer, beside a hundredth of its sound."""
_WEIGHINGS: Final = 4
"""At most."""
_YARD: Final = 40_000
_YARD_S: Final = 0.003
"""What `_pace` takes on a core as the limits are meant for."""


@attrs.frozen
class Weighed:
    """What became of a recording, and what it cost."""

    name: str
    code: str
    """Of its error; empty if there was none."""
    message: str
    sound_s: float
    cpu_s: float
    """Of all threads, of a core that is no slower than the limits are meant for."""
    longest_s: float
    """The longest step that holds up others, likewise; 0 if none does."""
    grown_bytes: int
    """How much more memory there was at the worst moment."""

    @property
    def is_dear(self) -> bool:
        """Whether to look again."""
        return self.longest_s > _LONG_S or self.cpu_s > _DEAR_S + self.sound_s / 100


def decode(decoder: Decoder, kind: Kind, data: bytes) -> tuple[Answer, float, float]:
    """Decode a recording to its end; return the last answer, seconds of sound, the longest step.

    As a session does, give up on what is longer than one frame may hold.
    """
    sound_s = longest_s = 0.0
    command = Decode(1, kind, data)
    has_ended = False
    while True:
        began = time.thread_time()
        answer = decoder.step(command)
        longest_s = max(longest_s, time.thread_time() - began)
        if isinstance(answer, DecodeFailed):
            return answer, sound_s, longest_s
        assert len(answer.pcm) <= _MOST_BYTES
        sound_s += len(answer.pcm) / 2 / answer.rate
        is_all = answer.end or (has_ended and not answer.has_more)
        if is_all or sound_s > _MOST_S:
            return answer, sound_s, longest_s
        has_ended = has_ended or not answer.has_more
        command = Decode(1, kind, end=not answer.has_more)


def weigh(name: str, data: bytes) -> Weighed:
    """Decode a recording, and weigh that; if it takes long, again.

    Then each number is that of the best decoding: what else the machine does, beside whom a core
    is slower and its caches are others', is none of the recording's doing.
    """
    kind = begins(data[:12])
    if kind is None:
        return Weighed(name, "", "", 0, 0, 0, 0)
    found = _weigh_once(name, kind, data)
    for _ in range(_WEIGHINGS - 1):
        if not found.is_dear:
            break
        again = _weigh_once(name, kind, data)
        found = attrs.evolve(
            found,
            cpu_s=min(found.cpu_s, again.cpu_s),
            longest_s=min(found.longest_s, again.longest_s),
        )
    return found


def _weigh_once(name: str, kind: Kind, data: bytes) -> Weighed:
    before, threads = _memory("VmRSS"), threading.active_count()
    Path("/proc/self/clear_refs").write_text("5")
    began = time.process_time()
    decoder = new_decoder()
    answer, sound_s, longest_s = decode(decoder, kind, data)
    decoder.close()
    for one in threading.enumerate()[threads:]:
        one.join()
    used_s = time.process_time() - began
    grown_bytes = _memory("VmHWM") - before
    pace = _pace()
    code, message = (answer.code, answer.message) if isinstance(answer, DecodeFailed) else ("", "")
    is_on_loop = kind in READERS
    return Weighed(
        name,
        code,
        message,
        sound_s,
        used_s / pace,
        longest_s / pace if is_on_loop else 0.0,
        grown_bytes,
    )


def _pace() -> float:
    """Return how many times as long as it should this core takes for a bit of work just now."""
    began = time.thread_time()
    sum(n * n % 7 for n in range(_YARD))
    return max(1.0, (time.thread_time() - began) / _YARD_S)


def _memory(field: str) -> int:
    return int(_STATUS.read_text().partition(f"{field}:")[2].split()[0]) * KIB


def main() -> None:
    """Weigh the recordings that are named, or all; print a line of JSON for each."""
    names = sys.argv[1:] or list(corpus())
    weigh("webm-opus", corpus()["webm-opus-doubled"])  # whatever is loaded once is loaded now
    weigh("mp4-aac", corpus()["mp4-aac-doubled"])
    for name in names:
        print(json.dumps(attrs.asdict(weigh(name, corpus()[name]))), flush=True)


if __name__ == "__main__":
    main()
