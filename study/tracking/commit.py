"""The commit of the study, for runs and for words about them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from git import Repo
from git.exc import GitError

from study.version import __version__


@lru_cache(maxsize=1)
def code_state() -> dict[str, str]:
    """Version and commit of the study, and whether its checkout held changes that no commit has."""
    tags = {"study_version": __version__}
    try:
        with Repo(Path(__file__).parent, search_parent_directories=True) as checkout:
            tags["mlflow.source.git.commit"] = checkout.head.commit.hexsha
            tags["git_uncommitted_changes"] = str(checkout.is_dirty())
    except (GitError, OSError, ValueError):
        pass  # not in a checkout, or in one without commits
    return tags


def commit_in_words() -> str:
    """The commit of the running study, such as `34ddef8 with uncommitted changes`."""
    return commit_of(code_state())


def commit_of(tags: dict[str, str]) -> str:
    """The commit of the study that made a run, from its tags."""
    commit = tags.get("mlflow.source.git.commit", "")[:7] or f"version {tags.get('study_version', 'unknown')}"
    return f"{commit} with uncommitted changes" if tags.get("git_uncommitted_changes") == "True" else commit
