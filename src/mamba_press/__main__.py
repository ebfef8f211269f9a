"""The command line. Results go to stdout, everything else to stderr; the commands are modules of `commands`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from mamba_press import commands
from mamba_press.commands import parser

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (docs/reference/exit-codes.md)."""
    parsed = parser.parse(sys.argv[1:] if arguments is None else arguments)
    from mamba_press import front, log  # not for --help
    from mamba_press.errors import PressError

    redraws = os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
    log.configure(quiet=parsed.quiet, verbose=parsed.verbose, redraws=redraws)

    def worded(text: str) -> str:
        if not parsed.presses:
            return text
        from mamba_press.commands import asked

        return asked.told(text, parsed, os.environ)

    try:
        with front.machine(), front.uncollected(), log.build(worded):
            return commands.load(parsed.command).run(parsed, os.environ)
    except PressError as error:
        print(f"mamba-press: {worded(str(error))}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("mamba-press: interrupted; nothing was left half written", file=sys.stderr)
        return front.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
