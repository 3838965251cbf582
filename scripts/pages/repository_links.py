"""A hook of mkdocs. Links to files of the repository outside docs/ become links to GitLab; the files must exist."""

import logging
import os
import pathlib
import re
import typing

LINK = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)")
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LOG = logging.getLogger("mkdocs.hooks.repository_links")


def on_page_markdown(markdown: str, page: typing.Any, config: typing.Any, **_: object) -> str:
    """Replaces the links of one page."""

    def replaced(match: re.Match[str]) -> str:
        path = os.path.normpath(pathlib.Path("docs", page.file.src_uri).parent / match.group(1))
        if path.startswith("docs/"):
            return match.group(0)
        if not (ROOT / path).exists():
            LOG.warning("%s: the repository has no %s", page.file.src_uri, path)
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        repository, anchor = config.extra["repository"], match.group(2) or ""
        return f"]({repository}/-/{kind}/main/{path}{anchor})"

    return LINK.sub(replaced, markdown)
