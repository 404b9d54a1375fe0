"""``tq init``: an example project, copied from files of the package."""

from __future__ import annotations

import os
import shlex
from importlib import resources
from pathlib import Path
from typing import Final

import click

from ...common.errors import ConfigError
from ...common.runtime.terminal import write_line

# Where a file of the project comes from, in the package.
FILES: Final = {
    "README.md": "examples/project/README.md",
    "jobs.py": "examples/project/jobs.py",
    "main.py": "examples/project/main.py",
    "test_jobs.py": "examples/project/test_jobs.py",
    "configs/master.toml": "configs/master.toml",
    "configs/worker.toml": "configs/worker.toml",
    "configs/tq-master.service": "configs/systemd/tq-master.service",
    "configs/tq-worker.service": "configs/systemd/tq-worker.service",
    "Dockerfile": "configs/docker/Dockerfile",
    "compose.yaml": "configs/docker/compose.yaml",
}
# The only setting whose default does not fit here.
OURS: Final = {"configs/worker.toml": ('#modules = ["myapp.tasks"]', 'modules = ["jobs.py"]')}


@click.command(epilog="Example: tq init myproject")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=".", metavar="[DIR]")
def init(directory: Path) -> None:
    """Write an example project: tasks, a program that uses them, tests, settings.

    Nothing is overwritten: if one of its files is there already, nothing is written.
    """
    there = [name for name in FILES if os.path.lexists(directory / name)]
    if there:
        raise ConfigError(
            f"{directory / there[0]} exists, so nothing was written; name another directory: tq init myproject"
        )
    try:
        for name, source in FILES.items():
            _write(directory / name, _content(name, source))
    except OSError as error:
        raise ConfigError(
            f"cannot write {error.filename}: {error.strerror}; name another directory"
        ) from error
    write_line(_banner(directory))


def _content(name: str, source: str) -> str:
    text = resources.files("tq").joinpath(*source.split("/")).read_text("utf-8")
    default, ours = OURS.get(name, ("", ""))
    return text.replace(default, ours) if default else text


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8") as new:  # x: what appeared meanwhile is not overwritten either
        new.write(text)


def _banner(directory: Path) -> str:
    listed = "\n".join(f"  {name}" for name in FILES)
    steps = [
        "tq dev jobs.py",
        "python main.py      in a second terminal, in the same directory",
        "python -m pytest",
    ]
    if directory != Path():
        steps.insert(0, f"cd {shlex.quote(str(directory))}")
    following = "\n".join(f"{'  next   ' if not at else '         '}{step}" for at, step in enumerate(steps))
    return f"wrote to {directory.resolve()}\n{listed}\n{following}"
