"""What Gemini gets on a link that is ready, as a model checks it against what the client said."""

from collections.abc import Mapping
from typing import Final

import attrs

from livegate.protocol import _json
from livegate.protocol.testing.answers import Answers
from livegate.protocol.testing.frames_seen import part_of, text_of
from livegate.protocol.testing.line import Content, Line
from livegate.protocol.testing.past import Past
from livegate.protocol.testing.speaker import Speaker
from livegate.protocol.testing.watch import Watch

_LONG: Final = 512


@attrs.define
class Uplink:
    """The line's way to Gemini."""

    line: Line
    speaker: Speaker
    answers: Answers
    past: Past
    watch: Watch
    is_active: bool = False
    """Between activityStart and activityEnd."""
    tells_history: bool = False
    """Gemini must be told what was said before, and nothing else until then."""

    def got(self, kind: str, body: Mapping[str, object], now: float) -> None:
        """Check one message with content.

        Raises:
            AssertionError: It is not what comes next.
        """
        if self.tells_history:
            assert kind == "clientContent", f"{kind}, before Gemini knows what was said before"
            self.past.check_history(body)
            self.tells_history = False
            return
        sound, text = part_of(body, "audio", "data"), text_of(body)
        if "audioStreamEnd" in body or (sound and not sound.strip("A=") and len(sound) > _LONG):
            self.skip_silence()
            assert self.line.next_content(kind).is_end, "an end of speech that nothing caused"
            self.past.told()
            self.speaker.heard(self.line.give())
            return
        if {"activityStart", "activityEnd"} & body.keys():
            self._marked(now, is_start="activityStart" in body)
            return
        self.skip_silence()
        head = self.line.next_content(kind)
        assert not head.is_end, "the end of speech was not told"
        assert not head.is_broken, "a broken recording was not told"
        if sound:
            for given in self.line.give_sound(sound):
                self.speaker.heard(given)
            self.past.told(sound=_size_of(sound))
        elif text:
            assert text == head.text, f"not the next text: {text}"
            self.line.give()
            self.past.told(frames=1)
            self.past.asked(text)
            self._asked(now)
        else:
            assert part_of(body, "video", "data") == head.image, f"not the next picture: {body!r}"
            self.line.give()
            self.past.told(frames=1)

    def skip_silence(self) -> bool:
        """Take out what means nothing to Gemini, and return whether there was anything.

        That is a header, an end of nothing, or one by hand.
        """
        has_skipped = False
        while self.line.items and not self.tells_history:
            head = self.line.items[0]
            if not isinstance(head, Content):
                break
            is_header = head.is_piece and not head.sound and not head.is_broken
            is_nothings = head.is_end and not self.speaker.is_sounding
            if not (is_header or is_nothings or (head.is_end and self.answers.terms.is_manual)):
                break
            self.speaker.heard(self.line.give())
            has_skipped = True
        return has_skipped

    def got_results(self, body: Mapping[str, object], now: float, *, is_late: bool) -> list[str]:
        """Check a `toolResponse`, and return the ids in it.

        Args:
            body: The message.
            now: When it came.
            is_late: The client has not caused it: it stands for results that did not come.

        Raises:
            AssertionError: Nobody asked for it, or it may still come.
        """
        results = body.get("functionResponses")
        told: list[str] = []
        for one in results if _json.is_array(results) else [None]:
            assert _json.is_object(one), f"{one!r:.200} is no result"
            call = str(one.get("id"))
            told.append(call)
            assert call in self.answers.calls, f"a result of {call}, which was not called"
            if is_late:
                assert self.watch.is_late(call, now), f"{call} was given up too early"
                said = one.get("response")
                assert _json.is_object(said), f"{said!r:.200} is no result"
                assert said.keys() == {"error"}, f"{call} was made up: {said!r:.200}"
            elif one.get("willContinue"):
                self.watch.called(call, now)
                continue
            self.answers.calls.remove(call)
            self.watch.returned(call)
        self.past.told(frames=1)
        return told

    def link_ended(self) -> None:
        """Forget what only the old link knew."""
        self.is_active = self.tells_history = False
        self.watch.link_ended()

    def _asked(self, now: float) -> None:
        self.answers.asked()
        self.watch.listen(now, is_awaited=True)

    def _marked(self, now: float, *, is_start: bool) -> None:
        assert self.answers.terms.is_manual, "activity, where Gemini finds out itself"
        assert is_start or self.is_active, "activityEnd without activityStart"
        self.is_active = is_start
        self.past.told()
        if not is_start:
            self._asked(now)


def _size_of(sound: str) -> int:
    """Return how many bytes base64 stands for."""
    return len(sound) // 4 * 3 - sound.count("=")
