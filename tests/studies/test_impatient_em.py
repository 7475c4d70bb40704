"""MCMC-EM: exact chain laws, gradients on grids against objectives, Stein's identity, and a wrong twin."""

import pytest

from stdpjax.lab.reproduce import make_config
from stdpjax.studies import find, run
from stdpjax.studies.section_6_hidden import impatient_em
from stdpjax.theory import em_laws


def test_settings_that_cannot_be_used_are_refused():
    with pytest.raises(ValueError, match="lengths: expected increasing numbers, the last at least 400"):
        make_config(find("impatient_em"), True, {"lengths": (50, 100)})


@pytest.mark.slow
def test_a_wrong_curvature_loses_the_verdicts(monkeypatch):
    right = {record["id"]: record["verdict"] for record in run("impatient_em", show_progress=False).records}
    assert right == {claim.id: claim.verdict for claim in find("impatient_em").claims}
    curvature = em_laws.curvature
    monkeypatch.setattr(em_laws, "curvature", lambda *arguments: -curvature(*arguments))
    result = run("impatient_em", show_progress=False, n_stein_chains=2001, n_flow_updates=261, n_nodes=11)
    wrong = {record["id"]: record["verdict"] for record in result.records}
    lost = {"T14.identity", "T15.path"}
    assert {wrong[claim] for claim in lost} == {"inconclusive"}
    assert wrong["T13.bias"] == impatient_em.CLAIMS[0].verdict
