"""What the demo page makes of a microphone's samples, sample by sample and without a sound device."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
DEMO = (ROOT / "examples" / "gemini_live_demo.html").read_text(encoding="utf-8")
(WORKLET,) = re.findall(
    r"^function captureWorklet\(\) \{\n.*?^\}$", DEMO, re.DOTALL | re.MULTILINE
)
BLOCK = 128
"""Samples that a worklet is given at a time."""
CAPTURE = """([worklet, rate, blocks]) => {
    const messages = [];
    window.sampleRate = rate;
    window.AudioWorkletProcessor = class {
        port = { postMessage: (message) => messages.push(message) };
    };
    let made;
    window.registerProcessor = (name, processor) => { made = new processor(); };
    (0, eval)(`(${worklet})()`);
    const talk = (active) => made.port.onmessage({ data: active });
    made.process([[blocks[0]]]);
    talk(true);
    blocks.forEach((block) => made.process([[block]]));
    made.process([[]]);
    talk(false);
    made.process([[blocks[0]]]);
    return messages;
}"""
"""Runs the page's worklet outside of any context; it is not talking at first, nor at last."""

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_capture(page: Page, rate: int) -> None:
    """Every sample of what is said is in the mean of those it becomes, at 16 kHz, in pieces of 40 ms."""
    said = np.random.default_rng(rate).uniform(-1, 1, BLOCK * 200)
    *pieces, end = page.evaluate(CAPTURE, [WORKLET, rate, said.reshape(-1, BLOCK).tolist()])
    assert end is None
    assert {len(piece) for piece in pieces[:-1]} == {640}
    assert 0 < len(pieces[-1]) <= 640
    heard = np.concatenate(pieces)
    edges = np.arange(int(len(said) * 16_000 / rate) + 1) * rate / 16_000
    sums = np.interp(edges, np.arange(len(said) + 1), np.concatenate(([0.0], np.cumsum(said))))
    np.testing.assert_allclose(heard, np.diff(sums) / (rate / 16_000), atol=1e-6)
