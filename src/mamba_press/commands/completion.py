"""``mamba-press completion``: scripts for shells, made of the parser itself."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mamba_press.commands import output, parser

EXAMPLES = """\
  mamba-press completion bash    in ~/.bashrc: eval "$(mamba-press completion bash)"
  mamba-press completion zsh     in ~/.zshrc, after compinit: eval "$(mamba-press completion zsh)"
  mamba-press completion fish    as ~/.config/fish/completions/mamba-press.fish
"""

_FOLDERS = ("DIR", "OUTPUT", "TARGET", "PREFIX")


class Arguments(argparse.Namespace):
    """What `add` declares."""

    shell: str


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="for which shell")
    parser.set_defaults(quiet=False, verbose=False)


def run(arguments: Arguments, environ: Mapping[str, str]) -> int:  # noqa: ARG001 - a script is the same everywhere
    """Print the script of a shell."""
    output.say({"bash": bash, "zsh": zsh, "fish": fish}[arguments.shell]())
    return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """An option of a command: its spellings, what its value is, and what may stand there.

    ``value`` is empty where it takes none, ``choices`` where anything may stand there.
    """

    names: tuple[str, ...]
    help: str
    value: str = ""
    choices: tuple[str, ...] = ()

    @property
    def is_folder(self) -> bool:
        """Whether its value is a folder."""
        return self.value in _FOLDERS


def options() -> dict[str, tuple[Option, ...]]:
    """Return the options of every command, and under ``""`` those before a command; a positional has no names."""
    whole = parser.parser(parser.HELP)
    (each,) = (action for action in whole._actions if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001
    return {"": tuple(_read(whole)), **{name: tuple(_read(one)) for name, one in each.choices.items()}}


def _read(parser: argparse.ArgumentParser) -> Iterator[Option]:
    """Yield what a parser declares; argparse has no public way to ask it."""
    for action in parser._actions:  # noqa: SLF001
        if not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            value = "" if action.nargs == 0 else str(action.metavar or action.dest).upper()
            names, choices = tuple(action.option_strings), tuple(map(str, action.choices or ()))
            yield Option(names=names, help=_plain(action.help), value=value, choices=choices)


def _plain(text: str | None) -> str:
    return (text or "").replace("%(default)s", "").replace("%%", "%")


def bash() -> str:
    """Return the script for bash 3.2 and later."""
    known = options()
    names = " ".join(name for name in known if name)
    values, flags = [], []
    for name, each in known.items():
        for option in each:
            if not option.value:
                continue
            words = f'COMPREPLY=($(compgen -W {shlex.quote(" ".join(option.choices))} -- "$current"))'
            way = words if option.choices else 'COMPREPLY=($(compgen -d -- "$current"))' if option.is_folder else ":"
            if option.names:
                asked = "|".join(shlex.quote(f"{name} {spelled}") for spelled in option.names)
                values.append(f"        {asked}) {way}; return ;;")
            elif option.choices:
                flags.append(f"        {shlex.quote(name)}) {words}; return ;;")
    spelled = {name: " ".join(name for option in each for name in option.names) for name, each in known.items()}
    lists = [f"        {shlex.quote(name)}) words={shlex.quote(text)} ;;" for name, text in spelled.items()]
    return "\n".join(
        [
            "# completion of mamba-press for bash",
            "_mamba_press() {",
            "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= words= word",
            '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
            f"        case $word in {names.replace(' ', '|')}) command=$word; break ;; esac",
            "    done",
            '    case "$command $previous" in',
            *values,
            "    esac",
            "    if [[ $current == -* ]]; then",
            "        case $command in",
            *lists,
            "        esac",
            '        COMPREPLY=($(compgen -W "$words" -- "$current"))',
            "        return",
            "    fi",
            "    case $command in",
            f"        '') COMPREPLY=($(compgen -W {shlex.quote(names)} -- \"$current\")) ;;",
            *flags,
            "    esac",
            "}",
            "complete -o default -F _mamba_press mamba-press",
        ]
    )


def zsh() -> str:
    """Return the script for zsh, to be evaluated or to be a file of a folder in ``fpath``."""
    known = options()
    lines = ["#compdef mamba-press", "_mamba_press() {", "    local -a commands=("]
    lines += [f"        {shlex.quote(f'{name}:{text}')}" for name, text in parser.HELP.items()]
    lines += ["    )", "    if (( CURRENT == 2 )); then", "        _describe command commands"]
    lines += [f"        _arguments {' '.join(_zsh_words(known['']))}", "        return", "    fi"]
    lines += ["    local command=$words[2]", "    shift words", "    (( CURRENT-- ))", "    case $command in"]
    for name, each in known.items():
        if name:
            words = " \\\n            ".join(_zsh_words(each))
            lines += [f"        {name}) _arguments \\", f"            {words} ;;"]
    ending = ["    esac", "}", 'if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _mamba_press "$@"']
    return "\n".join([*lines, *ending, "else compdef _mamba_press mamba-press; fi"])


def _zsh_words(each: tuple[Option, ...]) -> Iterator[str]:
    for option in each:
        way = f"({' '.join(option.choices)})" if option.choices else "_files -/" if option.is_folder else "_files"
        value = f":{option.value.lower()}:{way}" if option.value else ""
        said = option.help.replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
        if not option.names:
            yield shlex.quote(f"*{value}")
        for spelled in option.names:
            yield shlex.quote(f"*{spelled}[{said}]{value}")


def fish() -> str:
    """Return the script for fish."""
    lines = ["# completion of mamba-press for fish"]
    for name, text in parser.HELP.items():
        lines.append(f"complete -c mamba-press -n __fish_use_subcommand -f -a {name} -d {_fish(text)}")
    for name, each in options().items():
        where = f"-n {_fish(f'__fish_seen_subcommand_from {name}') if name else '__fish_use_subcommand'}"
        for option in each:
            spelled = " ".join(f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}" for one in option.names)
            folder = " -x -a '(__fish_complete_directories)'" if option.is_folder else " -r"
            way = f" -x -a {_fish(' '.join(option.choices))}" if option.choices else folder if option.value else ""
            if spelled or option.choices:
                lines.append(
                    f"complete -c mamba-press {where} {spelled}{way} -d {_fish(option.help)}".replace("  ", " ")
                )
    return "\n".join(lines)


def _fish(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
