"""The claims on spikes that are the input (Eq 2)."""

from stdpjax.studies.base import Claim

_PRINTED = "Since we are talking about the average change, Eq 2 could be written for Eq 1."
_BIAS = (
    "Only for spikes that do not themselves move s_i. A spike that does adds +step rho'(s_i) W_ij p (1-p) to the mean "
    "of Eq 2, and one l steps earlier -step^2 (1-step)^(l-1) rho'(s_i) W_ij p (1-p)."
)

CLAIMS = (
    Claim(
        "3.2.same_step",
        "Eq 2",
        "Covariance of the change of s_i with the spike that caused it (step 0.1, weight 0.5, p = 0.2).",
        _PRINTED,
        _BIAS,
        expected=0.008,
        comparison="within",
        tolerance=0.0001,
        verdict="holds_with_conditions",
    ),
    Claim(
        "3.2.step_before",
        "Eq 2, read as Eq 5",
        "Covariance of the change of s_i with the spike one step earlier.",
        _PRINTED,
        _BIAS,
        expected=-0.0008,
        comparison="within",
        tolerance=0.00005,
        verdict="holds_with_conditions",
    ),
    Claim(
        "3.2.decay",
        "Eq 2",
        "Factor by which the covariance with an earlier spike shrinks for each further step.",
        "Nothing is printed on this.",
        "1 - step: the leak forgets the spike.",
        expected=0.9,
        comparison="within",
        tolerance=0.03,
    ),
    Claim(
        "3.2.law",
        "Eq 2",
        "Largest |z| of the covariances against their closed form, over weights of both signs and lags.",
        _PRINTED,
        _BIAS,
        expected=4.5,
        comparison="at_most",
        verdict="holds_with_conditions",
    ),
    Claim(
        "3.2.unconnected",
        "Eq 2",
        "Largest |z|, over lags, of the covariance with the spikes of a neuron of the same rate that is not connected.",
        _PRINTED,
        "No bias if the spike does not enter the postsynaptic activity.",
        expected=4.0,
        comparison="at_most",
        verdict="holds_with_conditions",
    ),
    Claim(
        "3.2.prescribed",
        "Eq 1 and 2",
        "Largest |z|, over time, of the mean of Eq 2 over trains against p times Eq 1, for a prescribed activity.",
        _PRINTED,
        "Exact for a prescribed postsynaptic activity.",
        expected=4.0,
        comparison="at_most",
        verdict="holds_with_conditions",
    ),
    Claim(
        "3.2.variance",
        "Eq 2",
        "Variance of Eq 2 over trains, summed over time, relative to the sum of p (1-p) (change of s_i)^2.",
        "Nothing is printed on this.",
        "The price of spikes: a variance of p (1-p) times the squared change, where Eq 1 has none.",
        expected=1.0,
        comparison="within",
        tolerance=0.05,
    ),
)
