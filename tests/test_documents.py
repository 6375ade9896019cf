"""What README and the pages of `docs` tell a reader to type is what the program takes; their links lead somewhere."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import click
import pytest
import yaml

from ablations.__main__ import main as ablate
from pixel_embedding import main
from reports.cli import main as report
from study.cli import main as study

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
CUT = re.compile(r"(?<!-)\b\w+ …")  # arguments are left out, not the value of an option
LINK = re.compile(r"\]\(([^)#\s]*)#?([^)\s]*)\)")
ENTRY_POINTS = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))["entry_points"]
PROGRAMS = {
    "pixel-embedding": main,
    "python -m study": study,
    "python -m ablations": ablate,
    "python -m reports": report,
}
SHOWN = "width"  # the question that a reader writes


def typed(begins):
    """The lines of listings, and the pieces of code in texts, that begin with these words; each once."""
    found = {}
    for page, text in TEXTS.items():
        listed = [line.removeprefix("$ ") for _, listing in FENCE.findall(text) for line in listing.splitlines()]
        pieces = [" ".join(piece.split()) for piece in SPAN.findall(FENCE.sub("", text))]
        found |= {words: page.name for words in (*listed, *pieces) if words.startswith(f"{begins} ")}
    whole = {words: page for words, page in found.items() if not CUT.search(words)}
    return [pytest.param(words, id=f"{page}: {words}"[:80]) for words, page in whole.items()]


def understood(command, arguments):
    """Parse a command line as click does, down to the last command; what is unknown raises."""
    name = "program"
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        with click.Context(command, info_name=name) as context:
            name, command, arguments = command.resolve_command(context, arguments)
    if not isinstance(command, click.Group) and "--help" not in arguments:
        command.make_context(name, arguments)


@pytest.mark.parametrize("words", [words for begins in PROGRAMS for words in typed(begins)])
def test_a_command_is_understood(words):
    begins = next(begins for begins in PROGRAMS if words.startswith(f"{begins} "))
    arguments = shlex.split(words.removeprefix(begins), comments=True)
    understood(PROGRAMS[begins], ["lambda" if word == SHOWN else word for word in arguments])


@pytest.mark.parametrize("words", typed("mlflow run"))
def test_an_entry_point_takes_its_parameters(words):
    arguments = shlex.split(words, comments=True)
    pairs = list(pairwise(arguments))
    known = ENTRY_POINTS[dict(pairs).get("-e", "main")]["parameters"]
    assert {value.partition("=")[0] for option, value in pairs if option == "-P"} <= set(known)


@pytest.mark.parametrize("words", ["trian", "train --sead 1", "ablate lamda", "data chek", "predict --images x"])
def test_a_slip_would_be_found(words):
    with pytest.raises(click.ClickException):
        understood(main, words.split())


@pytest.mark.parametrize("page", ["README.md", "docs/own-images.md"])
def test_the_question_that_is_shown_can_be_asked(page):
    (source,) = [listing for _, listing in FENCE.findall(TEXTS[ROOT / page]) if "ABLATION" in listing]
    namespace = {}
    exec(compile(source, page, "exec"), namespace)  # the settings and values of an ablation are checked when it is made
    assert namespace["ABLATION"].name == SHOWN
    assert f"pixel-embedding ablate {SHOWN}" in namespace["__doc__"]


def anchors(text):
    """What links to the headings of a page end in."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_other_pages_lead_somewhere(page):
    links = [link for link in LINK.findall(FENCE.sub("", TEXTS[page])) if not link[0].startswith("http")]
    for target, anchor in links:
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8"))
