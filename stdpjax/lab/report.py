"""The report: one self-contained HTML page: statements, claims, then a section for each study."""

import base64
import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stdpjax import _checks
from stdpjax.lab.statement import StatementVerdict

# Of statements, and of claims.
VERDICTS: dict[StatementVerdict, str] = {
    "holds": "The statement was measured and stands.",
    "holds_with_conditions": "It stands under conditions that it does not state; they are given.",
    "corrected": "As it is stated it fails; what is right instead was measured.",
    "open": "Not decided: one of its claims is not met, or this run was too small.",
}
MET = {
    "met": "The number meets the criterion, and the control does not.",
    "not met": "The number does not meet it.",
    "inconclusive": "This run decides nothing: too small, or without power.",
}

_PAPER = "Bengio et al. 2015"
_ABOUT_PAPER = (
    "An objective function for STDP, statement by statement",
    'Bengio, Mesnard, Fischer, Zhang and Wu (2015), "An objective function for STDP". ',
)

_STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")

COMPARISONS = {"within": "", "at_least": "≥ ", "at_most": "≤ "}


class Section(NamedTuple):
    """The record of a study's run, and its figure."""

    record: dict[str, Any]
    figure_svg: str


def render(sections: Sequence[Section], statements: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the page.

    Args:
        sections: studies in the order in which they appear.
        statements: what `statement.judged` gives, in the order of the source.

    Returns:
        HTML without external references: figures are inlined, there are no scripts.

    Example:
        >>> from stdpjax.lab import report
        >>> report.render([]).startswith("<!DOCTYPE html>")
        True
    """
    if isinstance(sections, str) or not isinstance(sections, Sequence):
        raise ValueError(f"sections: expected a sequence of sections, got {sections!r:.80}")
    for section in sections:
        if not isinstance(section, Section):
            raise ValueError(f"sections: expected a sequence of sections, got {section!r:.80} among them")
    claims = [claim for section in sections for claim in section.record["claims"]]
    judged, meanings = (statements, VERDICTS) if statements else (claims, MET)
    tiles = "".join(
        f'<div class="tile {_style_of(verdict)}"><b>{sum(one["verdict"] == verdict for one in judged)}</b>'
        f"{_words(verdict)}<small>{meaning}</small></div>"
        for verdict, meaning in meanings.items()
    )
    rows = "".join(
        _heading(section.record) + "".join(_row(claim) for claim in section.record["claims"]) for section in sections
    )
    small = [html.escape(section.record["study"]) for section in sections if section.record["is_smoke"]]
    smoke = (
        f'<p class="warning">Smoke configuration: {", ".join(small)}. Small runs only show that everything works. '
        "No verdict is drawn from them; run without <code>--smoke</code>.</p>"
        if small
        else ""
    )
    is_of_paper = not sections or any(_PAPER in section.record["source"] for section in sections)
    title, about = _ABOUT_PAPER if is_of_paper else ("Claim by claim", "")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>stdpjax: {title}</title>
<style>
{_STYLE}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{about}Measured by <b>stdpjax</b>. The verdict of a statement follows from its claims; the criterion of a claim is
fixed before the run, and a wrong model, its control, must not meet it.</p>
{smoke}
<div class="tiles">{tiles}</div>
</header>
<main>
{_statements(statements, {claim["id"]: _anchor(claim) for claim in claims}) if statements else ""}
<h2>Claims</h2>
<table class="claims">
<thead><tr><th>Claim</th><th>What was measured</th><th>Measured</th><th>Expected</th><th>Control</th>
<th>Verdict</th></tr></thead>
<tbody>{rows}</tbody>
</table>
{"".join(_section(section) for section in sections)}
</main>
</body>
</html>
"""


def _statements(statements: Sequence[Mapping[str, Any]], anchors: Mapping[str, str]) -> str:
    return f"""<h2>Statements</h2>
<table class="claims statements">
<thead><tr><th>Where</th><th>What is said</th><th>What was found</th><th>Number</th><th>Verdict</th></tr></thead>
<tbody>{"".join(_statement(statement, anchors) for statement in statements)}</tbody>
</table>"""


def _statement(statement: Mapping[str, Any], anchors: Mapping[str, str]) -> str:
    formula = f"<small><code>{html.escape(statement['formula'])}</code></small>" if statement["formula"] else ""
    claims = ", ".join(f'<a href="#{anchors[one]}">{html.escape(one)}</a>' for one in statement["claims"])
    return (
        f'<tr><td data-label="Where">{html.escape(statement["where"])}'
        f"<small>{html.escape(statement['id'])}</small></td>"
        f'<td data-label="What is said">{html.escape(statement["says"])}{formula}</td>'
        f'<td data-label="What was found">{html.escape(statement["answer"])}<small>{claims}</small></td>'
        f'<td class="n" data-label="Number">{number(statement["number"])}</td>'
        f'<td data-label="Verdict">{_badge(statement["verdict"])}</td></tr>'
    )


def _badge(verdict: str) -> str:
    return f'<span class="badge {_style_of(verdict)}">{_words(verdict)}</span>'


def _heading(record: dict[str, Any]) -> str:
    study, title = html.escape(record["study"]), html.escape(record["title"])
    return f'<tr class="study"><th colspan="6"><a href="#{study}">{title}</a></th></tr>'


def _anchor(claim: dict[str, Any]) -> str:
    return html.escape(f"{claim['study']}-{claim['id']}")


def _row(claim: dict[str, Any]) -> str:
    interval = claim["interval"]
    measured = f"<span>{number(claim['measured'])}</span>" + (
        f"<small>{number(interval[0])} … {number(interval[1])}</small>" if interval else ""
    )
    expected = COMPARISONS[claim["comparison"]] + number(claim["expected"])
    if claim["comparison"] == "within":
        expected += f" ± {number(claim['tolerance'])}"
    control = "–" if claim["control"] is None else f"<span>{number(claim['control'])}</span>"
    return (
        f'<tr><td data-label="Claim"><a href="#{_anchor(claim)}">{html.escape(claim["id"])}</a>'
        f"<small>{_bearing(claim)}</small></td>"
        f'<td data-label="What was measured">{html.escape(claim["claim"])}</td>'
        f'<td class="n" data-label="Measured">{measured}</td>'
        f'<td class="n" data-label="Expected"><span>{expected}</span></td>'
        f'<td class="n" data-label="Control">{control}</td>'
        f'<td data-label="Verdict">{_badge(claim["verdict"])}</td></tr>'
    )


def _section(section: Section) -> str:
    record = section.record
    title, figure, caption = (html.escape(record[name]) for name in ("title", "figure", "caption"))
    encoded = base64.b64encode(section.figure_svg.encode()).decode()
    claims = "".join(_claim(claim) for claim in record["claims"])
    settings = html.escape(json.dumps(record["configuration"], indent=1))
    origin = html.escape(json.dumps(record["provenance"], indent=1))
    return f"""<section id="{html.escape(record["study"])}">
<h2>{title} <small>{figure}</small></h2>
<figure><img alt="{title}" src="data:image/svg+xml;base64,{encoded}">
<figcaption>{caption}</figcaption></figure>
<dl>{claims}</dl>
<details><summary>Settings and origin: seed {record["seed"]}, {record["seconds"]:.1f} s, {record["finished"]}</summary>
<pre>{settings}</pre><pre>{origin}</pre></details>
</section>
"""


def _claim(claim: dict[str, Any]) -> str:
    revised = f"<br><i>The criterion was revised:</i> {html.escape(claim['revised'])}" if claim["revised"] else ""
    note = f"<br><small>{html.escape(claim['note'])}</small>" if claim["note"] else ""
    return (
        f'<dt id="{_anchor(claim)}">{_badge(claim["verdict"])} {html.escape(claim["id"])}: '
        f"{number(claim['measured'])}</dt><dd>{html.escape(claim['claim'])}<br>{_bearing(claim)}; "
        f"<i>control:</i> {html.escape(claim['control_is'])}{revised}{note}</dd>"
    )


def _bearing(claim: dict[str, Any]) -> str:
    says = "beyond the source" if claim["bearing"] == "beyond" else claim["bearing"]
    return html.escape(f"{says}: {claim['statement']}")


def number(value: float | None) -> str:
    """Return a number as a person writes it: four significant digits, powers of ten where they help.

    Example:
        >>> from stdpjax.lab import report
        >>> [report.number(value) for value in (0.97239, 2e-09, None, 1.0)]
        ['0.9724', '2×10<sup>−9</sup>', 'not finite', '1']
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "not finite"
    value = float(_checks.number("value", value))
    text = f"{value:.4g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}×10<sup>{int(exponent)}</sup>".replace("-", "−")
    return text.replace("-", "−")


def _style_of(verdict: str) -> str:
    return verdict.replace(" ", "_")


def _words(verdict: str) -> str:
    return verdict.replace("_", " ")
