"""Where the paper is measured: from a question to the line, past at most three files."""

import re
from pathlib import Path

import pytest

import stdpjax
from stdpjax import studies
from stdpjax.studies.index import _words

HOME = Path(stdpjax.__file__).parent.parent
# Question -> the claims that answer it, by the start of their ids, and the study.
QUESTIONS = {
    "Eq 17": ("eq17.", "printed_update"),
    "Eq 11": ("eq11.", "rule_is_semigradient"),
    "Figure 2 right": ("fig2.", "rule_agreement"),
    "the determinant": ("sec7.determinant", "stability"),
    "the noise": ("eq14.", "langevin_noise"),
    "the prediction": ("sec3.2.", "constant_rate"),
    "Eq 28": ("eq28.", "backprop_link"),
    "condition 3": ("eq24.", "conditions"),
    "the impatient EM": ("sec6.3.impatient", "impatient_em"),
    "the window of Bi & Poo": ("fig1.level", "stdp_window"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_ten_questions_are_answered_in_the_first_three_files(question):
    start, study = QUESTIONS[question]
    places = studies.where(question)
    files = list(dict.fromkeys(place.run_at.rpartition(":")[0] for place in places))
    (answer,) = {file for file in files if Path(file).stem == study}
    assert files.index(answer) < 3, files
    found = [place for place in places if place.study == study]
    assert any(place.claim.startswith(start) for place in found), [place.claim for place in found]


def test_a_place_is_the_line_where_it_says_it_is():
    for place in studies.where("the determinant"):
        study = studies.find(place.study)
        for at, words in ((place.run_at, f"def {place.function}("), (place.measure_at, "")):
            file, _, line = at.rpartition(":")
            text = (HOME / file).read_text(encoding="utf-8").splitlines()
            assert words in text[int(line) - 1]
        assert study.run.__name__ == place.function
        assert place.claim in [claim.id for claim in study.claims]


def test_every_claim_is_found_by_what_it_cites_and_no_other_equation_is_taken_for_it():
    for study in studies.STUDIES:
        for claim in study.claims:
            assert (claim.id, study.name) in [(p.claim, p.study) for p in studies.where(claim.statement)]
    assert studies.where("Eq 2")[0].statement == "eq2"
    assert studies.where("Eq 99") == ()


CLAIMS = [(study.name, claim) for study in studies.STUDIES for claim in study.claims]
IDS = sorted({one.id for one in studies.STATEMENTS} | {claim.id for _, claim in CLAIMS})


@pytest.mark.parametrize("asked", IDS)
def test_an_id_finds_first_what_has_it_and_its_parts_find_it_too(asked):
    wanted = {(study, claim.id) for study, claim in CLAIMS if asked in (claim.id, claim.statement)}
    assert wanted
    places = studies.where(asked)
    assert asked in (places[0].claim, places[0].statement)
    in_parts = re.sub(r"\.(?!\d)", " ", asked)  # "sec4.2 steps"
    for question in (asked, asked.upper(), in_parts, in_parts.replace("_", " ")):
        assert wanted <= {(place.study, place.claim) for place in studies.where(question)}, question


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Eq 28, 30 and 31", ["eq28", "eq30", "eq31"]),
        ("Eqs. 9 to 11", ["eq9", "eq10", "eq11"]),
        ("section 8, Eq 27–29.", ["section8", "eq27", "eq28", "eq29"]),
        ("Sections 3.2 and 9", ["section3.2", "section9"]),
        ("Eq 24 (condition 3)", ["eq24", "condition3"]),
        ("Bi & Poo 2001", ["bi", "poo", "2001"]),
        ("sec3.2.constant", ["section3.2", "constant"]),
        ("fig1.nearest_neighbour", ["figure1", "nearest_neighbour"]),
        ("eq17.half, Fig. 2 and Sec. 4.2", ["eq17", "half", "figure2", "and", "section4.2"]),
        ("within 0.5 s.d.", ["within", "0.5", "s", "d"]),
    ],
)
def test_numbers_go_with_what_they_number(text, words):
    assert [word for word in _words(text) if word != ","] == words


@pytest.mark.parametrize("question", ["", "the", " of & "])
def test_a_question_without_a_word_to_look_for_is_refused(question):
    with pytest.raises(ValueError, match="question: expected a word to look for"):
        studies.where(question)
