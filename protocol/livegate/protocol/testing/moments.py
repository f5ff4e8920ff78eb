"""When a rule of the machine may be played."""

from typing import Final

from hypothesis.stateful import precondition

speaking: Final = precondition(lambda self: self.model.is_open and self.model.has_room)
plain: Final = precondition(
    lambda self: self.model.is_open and self.model.has_room and self.model.speaker.takes_plain
)
flowing: Final = precondition(lambda self: self.model.is_open and self.model.is_flowing)
dialling: Final = precondition(lambda self: self.model.link.state == "dialling")
opened: Final = precondition(lambda self: self.model.link.state == "open")
linked: Final = precondition(lambda self: self.model.link.state in ("open", "ready"))
ready: Final = precondition(lambda self: self.model.link.state == "ready")
asked: Final = precondition(lambda self: self.model.answers.is_awaited)
called: Final = precondition(lambda self: self.model.answers.calls)
resuming: Final = precondition(
    lambda self: self.model.link.state == "open" and self.model.link.handle
)
left: Final = precondition(lambda self: self.model.is_open and self.model.link.number > 1)
ended: Final = precondition(
    lambda self: (self.model.is_open or self.model.is_away) and self.model.link.number > 1
)
numbered: Final = precondition(
    lambda self: self.model.is_open and self.model.has_room and self.model.is_v1
)
vanishing: Final = precondition(lambda self: self.model.may_vanish)
returning: Final = precondition(lambda self: self.model.may_return)
away: Final = precondition(lambda self: self.model.is_away)
missing: Final = precondition(
    lambda self: self.model.may_vanish and self.model.link.state == "ready"
)
refused: Final = precondition(lambda self: self.model.is_open and self.model.speaker.is_refused)
talking: Final = precondition(
    lambda self: self.model.is_open and self.model.has_room and self.model.link.state == "ready"
)
refusable: Final = precondition(
    lambda self: self.model.is_open and self.model.has_room and self.model.link.state == "open"
)
ending: Final = precondition(lambda self: self.model.is_open and self.model.may_end_speech)
