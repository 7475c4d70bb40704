"""Records that are repeated, and ledgers that are compared, by the functions and the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from stdpjax import cli, studies
from stdpjax.lab.again import compare, read_record
from stdpjax.lab.own import new_study

CLAIM = {"id": "eq1.a", "study": "s", "measured": 0.5, "interval": [0.4, 0.6], "verdict": "met", "control": 2.0}
QUIET: dict[str, Any] = {"show_progress": False, "say": lambda line: None}


@pytest.fixture
def stdp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Call the command line in an empty folder: code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            code = cli.main(arguments)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def ledger(name: str, *claims: dict[str, Any]) -> str:
    Path(name).write_text(json.dumps(claims), encoding="utf-8")
    return name


def changed(home: str, **values: Any) -> str:
    path = Path(home) / "record.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, **values}), encoding="utf-8")
    return str(path)


def test_a_record_of_ours_is_repeated_with_its_settings_seed_and_size(stdp):
    given = ("run", "example_traces", "--smoke", "--n-trials", "50", "--seed", "7", "--out", "first", "--no-cache")
    assert stdp(*given)[0] == 0
    code, out, err = stdp("run", "--from", "first/example_traces/record.json", "--no-cache")
    assert (code, err) == (0, "")
    assert "1 claims are the same, 0 differ" in out
    first, again = read_record("first/example_traces"), read_record("again/example_traces")
    assert again == first
    assert (first.seed, first.is_smoke, first.configuration["n_trials"], first.place) == (7, True, 50, None)
    assert stdp("diff", "first", "again") == (0, "1 claims are the same, 0 differ\n", "")
    code, _, err = stdp("run", "--from=first/example_traces", "--no-cache")
    assert (code, err.count("\n")) == (2, 1)
    assert "would be overwritten" in err


def test_what_differs_from_the_record_is_said_and_numbers_compared(stdp):
    studies.run_into("first", ["example_traces"], smoke=True, **QUIET)
    record = read_record("first/example_traces")
    (claim,) = record.claims
    others = {"provenance": {**record.provenance, "jax": "0.1"}, "claims": [{**claim, "measured": 1e9}]}
    said: list[str] = []
    options: Any = {**QUIET, "say": said.append}
    found = studies.repeat(changed("first/example_traces", **others), "again", **options)
    assert said[0].startswith('example_traces: not as recorded: jax: expected "0.1", got ')
    assert [one.fields for one in found.different] == [("measured",)]
    assert found.versions
    assert not found.is_same


def test_a_study_of_ones_own_is_repeated_where_it_was_or_where_it_is_now(stdp):
    new_study("mine.py")
    assert stdp("run", "mine.py", "--smoke", "--seed", "2", "--n-bins", "50", "--out", "first", "--no-cache")[0] == 0
    record = "first/mine/record.json"
    assert read_record(record).place == f"{Path('mine.py').absolute()}:STUDY"
    assert stdp("run", "--from", record, "--no-cache")[0] == 0
    Path("mine.py").rename("moved.py")
    code, out, err = stdp("run", "--from", record, "--out", "moved", "--no-cache")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "mine.py', which is not there" in err
    assert stdp("run", "--from", record, "--study", "moved.py", "--out", "moved", "--no-cache")[0] == 0
    text = Path("moved.py").read_text(encoding="utf-8")
    Path("moved.py").write_text(text + "\n# A word more.\n", encoding="utf-8")
    code, out, _ = stdp("run", "--from", record, "--study", "moved.py:STUDY", "--out", "more", "--no-cache")
    assert (code, "mine: not as recorded: source_hash: expected" in out) == (0, True)
    for name in ("again", "moved", "more"):
        assert compare("first", name).is_same


BAD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no place": ({"provenance": {"source_hash": "x"}}, {}, "record: expected one of a study that can be found again"),
    "another study": (
        {},
        {"study": "stdp_window"},
        "study: expected 'example_traces', which the record is of, got std",
    ),
    "no study": ({"study": "nothing"}, {}, "study: expected one of stdp_window"),
    "no setting": ({"configuration": {"n_neurons": 3}}, {}, "n_neurons: expected a setting of example_traces"),
    "a bad setting": ({"configuration": {"n_steps": 0}}, {}, "n_steps: expected"),
    "no seed": ({"seed": None}, {}, "record: expected the record.json of a study's run, got .*, which lacks seed"),
    "no claims": ({"claims": [1]}, {}, "which lacks the ids of its claims"),
}


@pytest.fixture(scope="module")
def of_ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("ours")
    studies.run_into(out, ["example_traces"], smoke=True, **QUIET)
    return json.loads((out / "example_traces" / "record.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_repeated_is_refused_and_nothing_is_written(case, of_ours, tmp_path):
    values, options, message = BAD[case]
    (tmp_path / "record.json").write_text(json.dumps({**of_ours, **values}), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        studies.repeat(tmp_path, tmp_path / "out", **options, **QUIET)
    assert not (tmp_path / "out").exists()


def test_ledgers_are_compared_number_by_number_with_their_intervals(stdp):
    near, far = {**CLAIM, "id": "near", "measured": 0.55}, {**CLAIM, "id": "far", "measured": 0.7, "verdict": "not met"}
    exact, lost = {**CLAIM, "id": "exact", "interval": None}, {**CLAIM, "id": "lost", "measured": None}
    old = ledger("old.json", CLAIM, *({**CLAIM, "id": one} for one in ("near", "far", "lost", "gone")), exact)
    new = ledger("new.json", CLAIM, near, far, lost, {**exact, "measured": 0.6}, {**CLAIM, "id": "came"})
    found = compare(old, new)
    assert [(one.id, one.fields, one.is_within) for one in found.different] == [
        ("near", ("measured",), True),
        ("far", ("measured", "verdict"), False),
        ("lost", ("measured",), None),
        ("exact", ("measured",), None),
    ]
    assert (found.n_same, found.only_old, found.only_new) == (1, ("gone",), ("came",))
    code, out, err = stdp("diff", old, new)
    assert (code, err) == (1, "")
    lines = {line.split()[0]: " ".join(line.split()) for line in out.splitlines()}
    assert lines["near"] == "near 0.5 [0.4, 0.6] 0.55 [0.4, 0.6] met measured (within the intervals)"
    assert lines["far"].endswith("met -> not met measured, verdict (beyond the intervals)")
    assert "not finite [0.4, 0.6]" in lines["lost"]
    assert "only in the old: gone\nonly in the new: came\n" in out
    assert stdp("diff", old, old) == (0, "6 claims are the same, 0 differ\n", "")


def test_of_folders_settings_and_versions_are_compared_but_versions_alone_do_not_count(stdp):
    for name, seed in (("old", 0), ("new", 1)):
        studies.run_into(name, ["example_traces"], seed=seed, smoke=True, **QUIET)
    assert compare("old", "new").settings == ("example_traces: seed: expected 0, got 1",)
    provenance = read_record("old/example_traces").provenance
    changed("old/example_traces", seed=0, provenance={**provenance, "python": "2.7"})
    studies.run_into("same", ["example_traces"], smoke=True, **QUIET)
    code, out, _ = stdp("diff", "old", "same")
    assert code == 0
    assert 'example_traces: python: expected "2.7", got' in out


WRONG = {
    "nothing": (None, "new: expected a file to read"),
    "no JSON": ("{", "new: expected JSON"),
    "no list": ("{}", "new: expected a ledger.json or a folder of results"),
    "no ids": ("[{}]", "which is not one record for each claim"),
    "a text": (json.dumps([{**CLAIM, "measured": "0.5"}]), "which is not one record for each claim"),
    "no interval": (json.dumps([{**CLAIM, "interval": [0.5]}]), "which is not one record for each claim"),
    "twice": (json.dumps([CLAIM, CLAIM]), "which has an id twice"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_ledger_gets_one_line_and_code_2(case, stdp):
    text, message = WRONG[case]
    if text is not None:
        Path("new.json").write_text(text, encoding="utf-8")
    code, out, err = stdp("diff", ledger("old.json", CLAIM), "new.json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
