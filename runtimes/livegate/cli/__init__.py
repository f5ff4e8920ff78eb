"""The command line."""

from pathlib import Path

import click

from livegate.cli import environment, replay
from livegate.cli.chat import chat
from livegate.cli.check import check
from livegate.cli.debug import debug
from livegate.cli.emulator import emulator
from livegate.cli.fuzz import fuzz
from livegate.cli.serve import serve
from livegate.cli.token import token
from livegate.protocol import __version__

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="livegate")
@click.pass_context
def main(context: click.Context) -> None:
    """Connect JSON WebSocket clients to Google's Gemini Live API.

    First try, without a key: livegate serve --emulator

    The API key is read from GEMINI_API_KEY, then GOOGLE_API_KEY; resume tokens are sealed with
    LIVEGATE_SECRET. Options may also come from the environment variables that each command's help
    names, and all of them from a file .env in this folder or above.
    """
    context.obj = environment.load(Path.cwd())


for command in (serve, check, chat, debug, emulator, fuzz, replay.command, token):
    main.add_command(command)
