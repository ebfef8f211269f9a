"""The command line. Results go to stdout, everything else to stderr; the commands are modules of `commands`.

Nothing is imported at the top but what Python has already: a Ctrl-C within an import would show a traceback.
"""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from mamba_press.errors import Setting


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
    except OSError as error:  # where not even the modules of the boundary can be opened
        if error.errno != errno.EMFILE:
            raise
        what = f"{error.filename}: {error.strerror}\n  raise the number of files that a process may open (ulimit -n)"
        sys.stderr.write(f"mamba-press: the wheel cannot be written\n- {what}\n")
        return 6


def _run(arguments: Sequence[str]) -> int:
    from mamba_press import error_boundary, log
    from mamba_press.errors import PressError

    parsed: Namespace | None = None

    def voice(setting: Setting) -> str:
        if parsed is None or not parsed.presses:
            return str(setting)
        from mamba_press.commands import options

        return options.told(setting, parsed, os.environ)

    try:
        with error_boundary.machine():
            log.require_streams()
            parsed = _parsed(arguments)
            from mamba_press.commands import parser

            with error_boundary.uncollected(), log.build(voice):
                return parser.load(parsed.command).run(parsed, os.environ)
    except PressError as error:
        log.error(error.told(voice))
        return error.code


def _parsed(arguments: Sequence[str]) -> Namespace:
    """Return the options of a command, and say from now on what they let be said."""
    from mamba_press import log
    from mamba_press.commands import parser

    try:
        parsed = parser.parse(arguments)
    except SystemExit:
        log.flush()  # a stream that takes nothing would change the exit code when Python ends
        raise
    redraws = os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
    log.configure(quiet=parsed.quiet, verbose=parsed.verbose, redraws=redraws)
    return parsed


if __name__ == "__main__":
    sys.exit(main())
