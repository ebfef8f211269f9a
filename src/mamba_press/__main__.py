"""The command line. Results go to stdout, everything else to stderr; the commands are modules of `commands`.

Nothing is imported at the top but what Python has already: a Ctrl-C within an import would show a traceback.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (docs/reference/exit-codes.md)."""
    try:
        from mamba_press import interrupts

        with interrupts.caught():
            code = _run(sys.argv[1:] if arguments is None else arguments)
            if arguments is None:
                interrupts.ignored()
            return code
    except KeyboardInterrupt as ended:
        from mamba_press import interrupts

        return interrupts.told(ended)


def _run(arguments: Sequence[str]) -> int:
    from mamba_press import log

    log.require_streams()
    from mamba_press import commands
    from mamba_press.commands import parser

    try:
        parsed = parser.parse(arguments)
    except SystemExit:
        log.flush()  # a stream that takes nothing would change the exit code when Python ends
        raise
    from mamba_press import boundary
    from mamba_press.errors import PressError

    redraws = os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
    log.configure(quiet=parsed.quiet, verbose=parsed.verbose, redraws=redraws)

    def worded(text: str) -> str:
        if not parsed.presses:
            return text
        from mamba_press.commands import options

        return options.told(text, parsed, os.environ)

    try:
        with boundary.machine(), boundary.uncollected(), log.build(worded):
            return commands.load(parsed.command).run(parsed, os.environ)
    except PressError as error:
        log.error(worded(str(error)))
        return error.code


if __name__ == "__main__":
    sys.exit(main())
