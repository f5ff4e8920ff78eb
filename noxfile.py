"""Every check of the project, each a session: `nox -l` lists them, `.ci/run` runs them."""

import os
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True

OTHER_PYTHONS = ["3.11", "3.12", "3.13"]
NEWEST = next((one for one in reversed(OTHER_PYTHONS) if shutil.which(f"python{one}")), None)
PROJECT = nox.project.load_toml("pyproject.toml")
SUITE = ("-n", "auto", "--dist", "worksteal")
"""Use all cores: a worker begins with neighbours, and then takes what another has not begun."""
EVERYWHERE = "not browser and not long and not abuse"
"""What each Python has to pass."""
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""What tests start again and again is compiled once, even where the environment forbids that."""


def install(session: nox.Session, *groups: str) -> None:
    """Install the project as it stands, and the named groups of tools."""
    tools = [tool for group in groups for tool in nox.project.dependency_groups(PROJECT, group)]
    session.install("--quiet", "-e", ".[all]", *tools)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the gateway with its emulator: the main job, without a key."""
    session.install("--quiet", "-e", ".[trio,audio]")
    session.run("livegate", "serve", "--emulator", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite, but for `abuse`, on the Python at hand."""
    install(session, "test", "browser")
    session.run("pytest", *SUITE, "--ignore", "tests/abuse", *session.posargs, env=COMPILED)


@nox.session(python=OTHER_PYTHONS)
def pythons(session: nox.Session) -> None:
    """Run the test suite, but for what needs a browser or long, on each Python that is there."""
    install(session, "test")
    session.run("pytest", *SUITE, "-m", EVERYWHERE, *session.posargs, env=COMPILED)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format; `nox -s lint -- --fix` mends what can be mended."""
    session.install("--quiet", *nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", *([] if "--fix" in session.posargs else ["--check"]))


@nox.session
def types(session: nox.Session) -> None:
    """Check types, with mypy and with pyright, both strict."""
    install(session, "types")
    session.run("mypy")
    session.run("pyright", "--pythonpath", str(Path(session.bin) / "python"))


@nox.session(python=NEWEST)
def coverage(session: nox.Session) -> None:
    """Measure branch coverage of what `pythons` runs, so that the newest Python runs most of it.

    First the core's, from its own tests alone and without a random example, so that chance
    covers nothing of it; then all of it.
    """
    install(session, "test")
    measured = ("coverage", "run", "-m", "pytest", "-q", *SUITE, "-m", EVERYWHERE)
    by_table = COMPILED | {"LIVEGATE_HYPOTHESIS_PROFILE": "tables"}
    session.run("coverage", "erase")
    session.run(*measured, "tests/protocol", env=by_table)
    session.run("coverage", "combine", "--quiet")
    # What plays at random for others' tests is judged by the zoo.
    core = ["--include", "protocol/*", "--omit", "protocol/livegate/protocol/testing/*"]
    session.run("coverage", "report", *core, "--fail-under", "100")
    session.run(*measured, "tests/runtimes", env=COMPILED)
    session.run("coverage", "combine", "--quiet", "--append")
    session.run("coverage", "report", "--fail-under", "95")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Walk the core at random for some minutes: `nox -s fuzz -- --minutes 20`."""
    install(session, "test")
    session.run("python", "tests/support/fuzz.py", *(session.posargs or ["--minutes", "20"]))


@nox.session
def mutants(session: nox.Session) -> None:
    """Break every row of the tables, and plant known bugs: the suite must notice each."""
    install(session, "test")
    session.run("python", "tests/support/mutate_tables.py", *session.posargs)
    session.run("python", "tests/support/planted_bugs.py", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Change the core's code piece by piece, for an hour: `nox -s mutation -- session turns`."""
    install(session, "mutation")
    session.run("python", "tests/support/mutate_code.py", *session.posargs)


@nox.session
def abuse(session: nox.Session) -> None:
    """Attack a gateway's process for minutes; for 15 of them with `nox -s abuse -- --full`."""
    install(session, "test")
    rest = [one for one in session.posargs if one != "--full"]
    env = {"LIVEGATE_ABUSE": "full" if "--full" in session.posargs else "quick"}
    session.run("pytest", "-v", "tests/abuse", *rest, env=env)


@nox.session
def zoo(session: nox.Session) -> None:
    """Plant bugs in the core, and let the machine that is shipped for others find each."""
    install(session, "test")
    session.run("python", "tests/support/zoo.py", *session.posargs)


@nox.session
def patience(session: nox.Session) -> None:
    """Let the original's client wait for its user: `nox -s patience -- --minutes 3`."""
    install(session, "test")
    session.run("python", "tests/support/patience.py", *session.posargs)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure what recordings cost: `nox -s benchmarks -- --seconds 120`; nothing is judged."""
    install(session, "test")
    env = {"PYTHONPATH": "tests/support"}
    session.run("python", "benchmarks/audio.py", *session.posargs, env=env)


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the suite, but for browser and abuse, on the oldest versions that are said to work."""
    session.install("--quiet", "uv>=0.5")
    tools = [*nox.project.dependency_groups(PROJECT, "test")]
    session.run(
        "uv", "pip", "install", "--quiet", "--resolution", "lowest-direct",
        "--python", str(Path(session.bin) / "python"), "-e", ".[all]", *tools,
    )  # fmt: skip
    chosen = ("-m", "not browser and not abuse")
    session.run("pytest", *SUITE, *chosen, *session.posargs, env=COMPILED)


@nox.session
def build(session: nox.Session) -> None:
    """Build the sdist and the wheel, and use the wheel in an empty environment."""
    session.install("--quiet", "build>=1.2")
    out = Path(session.create_tmp()).absolute() / "dist"
    session.run("python", "-m", "build", "--outdir", str(out))
    wheel = max(out.glob("*.whl"), key=os.path.getmtime)
    session.run("python", "-m", "venv", "--clear", str(out / "empty"))
    python = str(out / "empty" / "bin" / "python")
    session.run(python, "-m", "pip", "install", "--quiet", str(wheel), external=True)
    with session.chdir(out):
        session.run(python, "-m", "livegate", "--version", external=True)
        session.run(python, "-m", "livegate", "check", "--emulator", external=True)


@nox.session
def live(session: nox.Session) -> None:
    """Play the transcripts against the real Gemini, with a key, and show the differences."""
    if not (os.environ.get("GEMINI_API_KEY") or os.environ.get("GOOGLE_API_KEY")):
        session.skip("set GEMINI_API_KEY to play against the real service; it costs a few turns")
    install(session, "test")
    session.run("python", "tests/support/live.py", *session.posargs)


if __name__ == "__main__":
    sys.exit("run this with: nox -l")
