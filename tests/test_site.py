"""The site of the documents is built without a warning, its links lead somewhere, and its lists are whole."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from ablations import find_ablations
from study.metrics.registry import COST, all_scores
from study.settings import all_names

ROOT = Path(__file__).parents[1]
TEXTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


class Page(HTMLParser):
    """The links of a page, and the places that links can lead to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = [], {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.places |= {found[name] for name in ("id", "name") if found.get(name)}
        link = found.get({"a": "href", "img": "src", "link": "href", "script": "src"}.get(tag, ""))
        if link is not None:
            self.links.append(link)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site: built as CONTRIBUTING.md says."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "--quiet", "docs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {file.relative_to(site): Page(file.read_text(encoding="utf-8")) for file in site.rglob("*.html")}


def test_each_document_is_a_page(pages):
    documents = {file.relative_to(ROOT / "docs").with_suffix(".html") for file in (ROOT / "docs").rglob("*.md")}
    assert documents - {Path("study/remarks.html")} <= set(pages)
    assert len(documents) > 15


def test_links_within_the_site_lead_to_a_page_and_a_place_on_it(site, pages):
    lost = []
    for at, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (site / at).parent / unquote(parts.path) if parts.path else site / at
            there = target.resolve().relative_to(site.resolve())
            if not target.is_file() or (there in pages and unquote(parts.fragment) not in pages[there].places):
                lost.append(f"{at}: {link}")
    assert not lost


def test_links_that_leave_the_site_have_the_form_of_an_address(pages):
    leaving = {link for page in pages.values() for link in page.links if urlsplit(link).scheme}
    assert any("doi.org" in link for link in leaving)
    assert [link for link in leaving if not re.fullmatch(r"https://[\w-]+(\.[\w-]+)+(/\S*)?", link)] == []


def words_of(file):
    return " ".join(re.sub("<[^>]+>", " ", file.read_text(encoding="utf-8")).split())


def test_a_setting_has_its_default_its_values_and_the_comments_beside_it(site):
    text = words_of(site / "settings.html")
    assert "loss.inter_weight 1 0 to 1e+06 or only lambda; only: no within-instance term" in text  # a comment above
    assert "clustering.foreground auto auto , truth , predicted , none" in text
    assert "training.steps 0 from 0 0: as many as epochs make" in text
    assert "network.concat_layer none none , coordinate coordinate: two more input channels" in text  # of one network
    assert "network.concat_layer dfeat.32 distmap , dfeat.8 , dfeat.32" in text  # of another


def test_a_question_has_what_is_varied_its_control_cost_figure_and_claims(site):
    text = words_of(site / "questions.html").partition("lambda : How strongly")[2].partition("clustering : Which")[0]
    assert "varied loss.inter_weight 0.5 , 1 , 10 , 100 , 500 , only" in text
    assert "control network.name , loss.inter_weight wnet , 1" in text
    assert "Cost: 12 runs of 12 trainings for each seed." in text
    assert "Figure: scores along loss.inter_weight , with the values that the paper prints" in text
    assert "Reports: wnet_figures and wnet_tables ." in text
    assert "λ = 1 is the best weight" in text


def test_all_questions_are_there(pages):
    assert {f"question-{name.replace('_', '-')}" for name in find_ablations()} <= pages[Path("questions.html")].places


def test_all_settings_are_there(pages):
    places = {f"setting-{re.sub('[._]', '-', name)}" for name in all_names()}
    assert places - pages[Path("settings.html")].places == {
        f"setting-{name}" for name in ("system", "preset", "profile")
    }


def test_all_scores_are_there(site):
    text = (site / "scores.html").read_text(encoding="utf-8")
    keys = [score.key for score in all_scores() if score.group != COST]
    assert [key for key in keys if f'<span class="pre">{key}</span>' not in text] == []


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_documents_that_a_text_names_are_there(file):
    text = file.read_text(encoding="utf-8")
    named = re.findall(r"\bdocs/[\w/.-]+\.\w+", text)
    assert [name for name in named if not (ROOT / name).exists()] == []
