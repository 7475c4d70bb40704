"""The report: one page that needs nothing else, says everything and lets nothing through unescaped."""

import base64
import dataclasses
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpjax.lab import Claim, Measurement, Study, at_least, at_most, plotting, report, within
from stdpjax.lab.study import make_record

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><text>ρ</text></svg>'
NASTY = 'a claim with <b>bold</b> & "quotes" and <script>alert(1)</script>'


@dataclasses.dataclass(frozen=True)
class Config:
    word: str = "plain"


def a_section(*claims: Claim, name: str = "fake", text: str = "plain", is_smoke: bool = False) -> report.Section:
    def none(*_: Any) -> Any:
        raise AssertionError("a report runs nothing")

    config = Config(text)
    study = Study(
        name=name,
        title=f"Title {text}",
        figure=f"Figure {text}",
        source=text,
        caption=f"Caption {text}",
        config=config,
        smoke={},
        claims=claims,
        run=none,
        plot=lambda data, config: plotting.new_figure(1, 1),
    )
    records = [make_record(study, claim, Measurement(1.0, 7.0, (0.5, 1.5), text), config, is_smoke) for claim in claims]
    record = {
        **{part: getattr(study, part) for part in ("title", "figure", "source", "caption")},
        "study": name,
        "is_smoke": is_smoke,
        "configuration": dataclasses.asdict(config),
        "provenance": {"device": text},
        "seed": 11,
        "seconds": 1.25,
        "finished": "2030-01-01T00:00:00+00:00",
        "claims": [{**record, "seed": 11} for record in records],
    }
    return report.Section(record, SVG)


def a_claim(id: str, text: str = "plain", expected: float = 1.0, **others: Any) -> Claim:
    parts = {
        "statement": f"Eq {text}",
        "revised": f"revised {text}",
        "criterion": within(expected, 0.5),
        "measure": float,
        "control": float,
        "control_is": text,
        "bearing": "supports",
    }
    return Claim(id, text, **{**parts, **others})


STATEMENTS = [
    {
        "id": f"eq{number}",
        "where": "Section 0",
        "says": "It says so.",
        "answer": "So it is.",
        "formula": formula,
        "claims": list(claims),
        "verdict": verdict,
        "number": 1.0,
    }
    for number, (verdict, formula, claims) in enumerate(
        [("holds", "a < b", ("A.holds",)), ("open", "", ("A.missed", "B.if")), ("corrected", "", ("B.corrected",))]
    )
]
SECTIONS = (
    a_section(a_claim("A.holds"), a_claim("A.missed", expected=3.0), name="alpha"),
    a_section(a_claim("B.corrected", bearing="refutes"), a_claim("B.if", bearing="limits"), name="beta"),
)


class Page(HTMLParser):
    """Checks nesting while it reads, and keeps tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def html() -> str:
    return report.render(SECTIONS, STATEMENTS)


@pytest.mark.parametrize(
    "sections", [(), SECTIONS, (a_section(a_claim("X", NASTY), text=NASTY),)], ids=["0", "2", "nasty"]
)
def test_every_tag_is_closed_in_order(sections):
    page = Page(report.render(sections))
    assert page.open == []
    assert len(page.tags) > 10


def test_the_page_needs_nothing_from_outside(html):
    # The namespace in the figure is a name, not an address, and the figure is encoded.
    assert not re.search(r"https?:|@import|url\(", html)
    for tag, attributes in Page(html).tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base"}
        for name in ("src", "href", "srcset", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/svg+xml;base64,"))
        assert not any(name.startswith("on") for name in attributes)


def test_the_figures_are_inside_the_page_and_described(html):
    images = [attributes for tag, attributes in Page(html).tags if tag == "img"]
    assert len(images) == len(SECTIONS)
    for image in images:
        assert base64.b64decode((image["src"] or "").split(",", 1)[1]).decode("utf-8") == SVG
        assert image["alt"] == "Title plain"


def test_every_claim_appears_with_its_verdict_in_the_table_and_in_its_section(html):
    _, table, sections = html.split("</table>")
    for section in SECTIONS:
        for record in section.record["claims"]:
            words = record["verdict"].replace("_", " ")
            for part, row in ((table, rf"<tr><td[^>]*><a[^>]*>{record['id']}</a>.*?</tr>"),
                              (sections, rf"<dt[^>]*>.*?{record['id']}:.*?</dt>")):  # fmt: skip
                found = [text for text in re.findall(row, part) if record["id"] in text]
                assert len(found) == 1
                assert f'class="badge {record["verdict"].replace(" ", "_")}">{words}<' in found[0]


def test_every_statement_comes_first_with_its_verdict_and_its_claims(html):
    table, _, _ = html.split("</table>")
    rows = re.findall(r"<tr><td.*?</tr>", table)
    assert len(rows) == len(STATEMENTS)
    for row, statement in zip(rows, STATEMENTS, strict=True):
        assert f'class="badge {statement["verdict"]}">' in row
        assert all(f">{claim}</a>" in row for claim in statement["claims"])
    assert "a &lt; b" in rows[0]


def test_the_claims_come_before_the_sections(html):
    assert 0 < html.index("<table") < html.index("</table>") < html.index("<section")


def test_every_link_leads_somewhere_and_every_anchor_is_unique(html):
    tags = Page(html).tags
    anchors = [attributes["id"] for _, attributes in tags if "id" in attributes]
    targets = {(attributes["href"] or "")[1:] for _, attributes in tags if "href" in attributes}
    assert len(set(anchors)) == len(anchors)
    assert targets == set(anchors)


def test_the_tiles_count_the_verdicts(html):
    def counts(page):
        return dict(re.findall(r'<div class="tile (\w+)"><b>(\d+)</b>', page))

    assert counts(html) == {"holds": "1", "holds_with_conditions": "0", "corrected": "1", "open": "1"}
    assert counts(report.render(SECTIONS)) == {"met": "3", "not_met": "1", "inconclusive": "0"}


def test_the_record_of_a_run_can_be_read_in_the_page(html):
    text = Page(html).text
    for part in (
        "seed 11",
        "1.2 s",
        "2030-01-01",
        '"device": "plain"',
        "It says so.",
        "So it is.",
        "a < b",
        "revised plain",
        "0.5 … 1.5",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("criterion", "expected"), [(within(1.0, 0.25), "1 ± 0.25"), (at_least(1.0), "≥ 1"), (at_most(1.0), "≤ 1")]
)
def test_the_criterion_is_spelled_out(criterion, expected):
    section = a_section(a_claim("X", criterion=criterion))
    assert f"<span>{expected}</span>" in report.render([section])


def test_text_is_shown_as_it_is_and_never_as_markup():
    html = report.render([a_section(a_claim("X<b>&", NASTY), text=NASTY)])
    assert "<script" not in html
    assert "<b>bold" not in html
    page = Page(html)
    for part in (
        f"Caption {NASTY}",
        f"revised {NASTY}",
        f"Eq {NASTY}",
        f"Figure {NASTY}",
        "X<b>&",
    ):
        assert part in page.text
    assert json.dumps(NASTY) in page.text  # settings and origin
    assert [attributes["alt"] for tag, attributes in page.tags if tag == "img"] == [f"Title {NASTY}"]


def test_a_number_that_is_not_finite_is_said_to_be_so():
    section = a_section(a_claim("X"))
    section.record["claims"][0].update(measured=None, interval=[None, None], control=None)
    assert "not finite … not finite" in Page(report.render([section])).text


def test_the_warning_shows_for_smoke_runs_alone(html):
    assert 'class="warning"' not in html
    mixed = report.render([*SECTIONS, a_section(a_claim("X"), name="small", is_smoke=True)])
    assert re.findall(r'class="warning">Smoke configuration: (.*?)\.', mixed) == ["small"]


def test_the_page_fits_a_phone_and_states_its_encoding(html):
    meta = [attributes for tag, attributes in Page(html).tags if tag == "meta"]
    assert {"charset": "utf-8"} in meta
    assert any(tag.get("name") == "viewport" and "width=device-width" in (tag["content"] or "") for tag in meta)


@given(st.floats(-1e300, 1e300))
def test_a_number_is_written_so_that_it_can_be_read_back(value):
    text = report.number(value).replace("−", "-").replace("×10<sup>", "e").replace("</sup>", "")
    # Two significant digits with a power of ten, else four.
    assert float(text) == pytest.approx(value, rel=0.05 if "e" in text else 5e-4)
