"""The command line. Results go to stdout, everything else to stderr; the commands are modules of `commands`."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from mamba_press import __version__, commands
from mamba_press.commands import asked
from mamba_press.errors import PressError

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """\
examples:
  mamba-press press .                                   the project in this folder
  mamba-press press "libcurl 8.*" -c conda-forge -o dist --python 3.12
  mamba-press press zlib --platform linux-aarch64       for another machine
  mamba-press list .                                    what would be in the wheel, and why
  mamba-press check dist/*.whl --import

exit codes: 2 configuration and usage, 3 solve, 4 fetch, 5 content, 6 writing and check, 130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (see the module's examples)."""
    parsed = parse(sys.argv[1:] if arguments is None else arguments)
    from mamba_press import front, log

    log.set_quiet(parsed.quiet)
    try:
        with front.machine():
            return commands.load(parsed.command).run(parsed, os.environ)
    except PressError as error:
        text = asked.as_typed(str(error), parsed.what) if parsed.presses else str(error)
        print(f"mamba-press: {text}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("mamba-press: interrupted; nothing was left half written", file=sys.stderr)
        return front.INTERRUPTED


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for; ends the process, as argparse does, where that is help or means nothing."""
    parser = argparse.ArgumentParser(
        prog="mamba-press",
        description="Press conda packages into wheels.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mamba-press {__version__}")
    parser.set_defaults(presses=False)
    each = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    called = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, text in commands.HELP.items():
        # The others have a name and a line of help; what they take is for those who call them.
        command = commands.load(name) if name == called else None
        described = each.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"examples:\n{command.EXAMPLES}" if command else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if command:
            command.add(described)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
