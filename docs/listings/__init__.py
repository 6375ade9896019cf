"""What the pages list, in Markdown, read from the program itself when the site is built."""

from __future__ import annotations

from collections.abc import Callable

from listings.modules import modules
from listings.questions import questions
from listings.scores import scores
from listings.settings import settings

# what a page writes, `<!-- listing: modules study.losses -->` -> the text that stands there in the site
LISTINGS: dict[str, Callable[..., str]] = {
    "modules": modules,
    "questions": questions,
    "scores": scores,
    "settings": settings,
}
