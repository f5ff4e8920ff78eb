"""The debug server: every frame in its log, and a page to send them, on port 8001.

It is `livegate debug` under the original's name, with the same arguments:

    python examples/debug_gemini_ws.py --emulator
"""

import sys

from livegate.cli import main

if __name__ == "__main__":
    main(["debug", *sys.argv[1:]], prog_name="debug_gemini_ws.py")
