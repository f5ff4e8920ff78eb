"""The original's Python client, whose user thinks for minutes between two lines.

    nox -s patience -- --minutes 3

It blocks in `input()` meanwhile: it reads nothing and answers no ping. Four of them wait at the
same time, with and without sound, on both runtimes; each must get an answer to its second line.
"""

import argparse
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import docs
import terminal

RUNTIMES: Final = ("asyncio", "trio")
MODALITIES: Final = {"text": '["TEXT"]', "audio": '["TEXT", "AUDIO"]'}
_LONG: Final = "Tell me about " + "the rain in Spain, " * 12
"""Its answer in sound is longer than what waits in a socket that nobody reads."""


def wait(runtime: str, form: str, minutes: float, folder: Path) -> str:
    """Talk, think for so long, talk again; return what came of it."""
    (block,) = docs.read(docs.API).under("Python Client", "python")
    code = block.text.replace(MODALITIES["audio"], MODALITIES[form])
    file = folder / f"{runtime}-{form}.py"
    serve = (*terminal.LIVEGATE, "serve", "--emulator", "--port", "0", "--runtime", runtime)
    with terminal.program(*serve) as server:
        port = server.expect(r"ws://localhost:(\d+)")[1]
        server.expect("listening")
        file.write_text(code.replace(":8000/", f":{port}/"))
        with terminal.program(sys.executable, str(file), on_terminal=True) as client:
            client.expect("You: ")
            client.type(_LONG)
            client.expect("You: ")
            time.sleep(minutes * 60)  # nothing is awaited: this is the time that the user takes
            client.type("Are you still there?")
            client.expect("You: ")
            client.type("quit")  # only now it reads what has come
            client.expect("rain")
            client.expect("still")
            assert "Error" not in client.printed, client.printed
            server.signal(signal.SIGTERM)
            server.status()
        closes = [line for line in server.printed.splitlines() if "session.closed" in line]
        assert len(closes) == 1, server.printed
        return closes[0].partition("code=")[2].split()[0]


def main() -> int:
    """Run all four; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    minutes = parser.parse_args().minutes
    print(f"four clients are silent for {minutes:g} minutes", flush=True)
    has_failed = False
    with TemporaryDirectory() as folder, ProcessPoolExecutor(4) as pool:
        talks = {
            (runtime, form): pool.submit(wait, runtime, form, minutes, Path(folder))
            for runtime in RUNTIMES
            for form in MODALITIES
        }
        for (runtime, form), talk in talks.items():
            error = talk.exception()
            has_failed |= error is not None
            came_of_it = f"FAILED: {error}" if error else f"answered, then closed {talk.result()}"
            print(f"{runtime:8} {form:6} {came_of_it}", flush=True)
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main())
