"""``tq demo``: a real job on a real cluster of this machine, with real deaths on the way."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from pathlib import Path

import click

from ....common.runtime.terminal import say
from .. import failing
from ..output import print_json
from .cluster import Cluster
from .job import Demo
from .screen import DemoScreen


@click.command(epilog="Example: tq demo --no-chaos")
@click.option("--no-chaos", is_flag=True, help="Kill no process.")
@click.option(
    "--messages", default=1000, show_default=True, type=click.IntRange(1, 1000), help="Mails to send."
)
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Keep state, logs and the mailbox in this directory."
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def demo(no_chaos: bool, messages: int, keep: Path | None, as_json: bool) -> None:
    """Send a mail merge through a real SMTP server and count words over Python's own sources, on one master
    and two workers; kill a worker and the master midway; check that nothing was lost.
    """
    try:
        import aiosmtpd  # noqa: F401 - only whether it is there
    except ImportError:
        say("tq: the demo needs an SMTP server to send to; pip install 'tq[demo]'")
        raise SystemExit(failing.USAGE) from None
    directory = keep or Path(tempfile.mkdtemp(prefix="tq-demo-"))
    directory.mkdir(parents=True, exist_ok=True)
    logging.getLogger("tq").addHandler(logging.NullHandler())  # lost connections are the point here
    well = False
    try:
        with Cluster(directory) as cluster:
            outcome = Demo(cluster, DemoScreen(quiet=as_json), messages=messages, chaos=not no_chaos).run()
        well = outcome.holds
        if as_json:
            print_json(outcome.as_dict())
    except KeyboardInterrupt:
        say("tq: interrupted; everything that was started has been stopped")
        raise SystemExit(130) from None
    finally:
        if keep is None and well:
            shutil.rmtree(directory)
        elif not well:
            say(f"tq: the logs and the mailbox are in {directory}")
    sys.exit(0 if well else failing.FAILED)
