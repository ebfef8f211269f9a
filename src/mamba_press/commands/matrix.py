"""``mamba-press matrix``: print the targets of a project as the jobs of a CI service."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mamba_press.commands import options, output

if TYPE_CHECKING:
    from mamba_press.pipeline.solve import Order

EXAMPLES = """\
  mamba-press matrix                               the targets, one a line
  mamba-press matrix --format github               for strategy.matrix, by way of fromJSON
  mamba-press matrix --format gitlab               for a child pipeline
"""

_RUNNERS = {
    ("linux", "x86_64"): "ubuntu-latest",
    ("linux", "aarch64"): "ubuntu-24.04-arm",
    ("osx", "arm64"): "macos-latest",
    ("osx", "x86_64"): "macos-15-intel",
    ("win", "amd64"): "windows-latest",
    ("win", "arm64"): "windows-11-arm",
}
"""GitHub's runners for what can only be built where it is to run."""

_ANY = "ubuntu-latest"


class Arguments(options.Sources):
    """What `add` declares."""

    project: str
    format: str | None
    json: bool


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("project", nargs="?", default=".", metavar="DIR", help="the project's folder (default: this)")
    parser.add_argument("--format", choices=("github", "gitlab", "json"), help="for a program (default: lines to read)")
    options.targets(parser)
    parser.set_defaults(channel=[], setting=[], offline=False)
    output.options(parser)


def run(arguments: Arguments, environ: Mapping[str, str]) -> int:
    """Print the jobs; nothing is solved."""
    jobs = [_job(order) for order in options.of_matrix(arguments.project, arguments, environ)]
    kind = arguments.format or ("json" if arguments.json else None)
    if kind is None:
        output.say("\n".join(f"{job['python']:<6} {job['platform']:<30} {job['runner']}" for job in jobs))
    elif kind == "json":
        output.say_json(jobs)
    elif kind == "github":
        output.say(json.dumps({"include": jobs}))  # on one line, as an output of a GitHub step has to be
    else:
        rows = [{"PYTHON": job["python"], "PLATFORM": job["platform"]} for job in jobs]
        output.say_json({".mamba-press": {"parallel": {"matrix": rows}}})  # a job to extend; JSON is YAML
    return 0


def _job(order: Order) -> dict[str, str]:
    target = order.target
    runner = _ANY
    if order.config.build_backend is not None:  # which can only build where the wheel is to run
        runner = _RUNNERS.get((target.system, target.arch), "self-hosted")
    return {"python": str(target.python), "platform": target.tag or target.subdir, "runner": runner}
