"""Helps mkdocs: files outside docs/ that pages link to come along, and links to them lead there.

README.md is the site's first page; CONTRIBUTING.md and CHANGELOG.md are pages too; configs/ is copied.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"(?<=\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
ORIGINS = {place: name for name, place in PAGES.items()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, place in PAGES.items():
        files.append(File.generated(config, place, content=(ROOT / name).read_text("utf-8")))
    copied = [path for folder in ("configs", "examples") for path in sorted((ROOT / folder).rglob("*"))]
    for path in [*copied, ROOT / "LICENSE"]:
        if path.is_file() and path.suffix not in (".md", ".pyc"):
            place = str(path.relative_to(ROOT))
            files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as they are in the repository, turned into links as they are in the site."""
    here = page.file.src_uri
    origin = ORIGINS.get(here) or f"docs/{here}"

    def moved(link: re.Match[str]) -> str:
        path, anchor = link[1], link[2] or ""
        if re.match(r"[a-z]+:", path):
            return link[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
        place = PAGES.get(target) or target.removeprefix("docs/")
        return posixpath.relpath(place, posixpath.dirname(here) or ".") + anchor

    pieces = CODE.split(markdown)
    return "".join(piece if piece.startswith("`") else LINK.sub(moved, piece) for piece in pieces)
