"""Fuzz a client of this protocol: give it frames in every order that can happen.

Run it: python examples/fuzz_client.py, or with pytest.
"""

from typing import Any

from hypothesis import given

from livegate.testing import gateway_frames


class Transcript:
    """The client: it shows the answers, each on a line of its own."""

    def __init__(self) -> None:
        self.lines = [""]

    def on_frame(self, frame: Any) -> None:
        """Take one frame of the gateway."""
        if frame["type"] == "response":
            self.lines[-1] += frame["text"]
        elif frame["type"] == "turn_complete":
            self.lines.append("")


@given(gateway_frames())
def test_client(frames: list[Any]) -> None:
    """The client shows all text of an answer, whatever else comes, and has a line for each."""
    client = Transcript()
    for frame in frames:
        client.on_frame(frame)
    said = [frame["text"] for frame in frames if frame["type"] == "response"]
    assert "".join(client.lines) == "".join(said)


if __name__ == "__main__":
    test_client()
    print("nothing found")
