"""What section 8 claims for a pulled input, and the criteria that decide."""

from typing import Any

import numpy as np
import xarray as xr

from stdpjax.studies.base import Claim, Measurement

_ARRIVAL = "Delta h_1 = 2 step^3 dC/dh_1, Delta h_2 = 2 step^4 dC/dh_2, in general a factor step^(k+2), C = |X - x|^2."
_CORRECTED = (
    "Delta h_k = -(step^(k+1) / 2) dC/dh_k at first arrival, step k+1: another power, another factor and descent. The "
    "printed law is off by 1/(4 step)."
)
_LATER = "There are differences, especially when we consider what happens after more time steps."

CLAIMS = (
    Claim(
        "E27.trajectory",
        "Eq 27",
        "Largest error of x_t = X - (1-step)^t (X - x_0), over networks and times (states simulated).",
        "Not the state of x is clamped but its external input X; x gradually changes, at first by step (X - x).",
        "",
        expected=1e-5,
        comparison="at_most",
        double=1e-14,
    ),
    Claim(
        "E27.objective",
        "Eq 27",
        "Largest relative error of J = step^2 |X - x|^2 at the first step, over networks.",
        "J = |R_x(s) - (x + Delta x)|^2 = step^2 |X - x|^2, because at equilibrium R_x(s) = x.",
        "",
        expected=1e-4,
        comparison="at_most",
        double=1e-12,
    ),
    Claim(
        "E27.only_x",
        "Section 8",
        "Largest displacement of any layer h_k before step k+1.",
        "Initially, the only part of the objective function which would be non-zero would be the error at x.",
        "",
        expected=0.0,
        comparison="at_most",
    ),
    Claim(
        "E28.exponents",
        "Eq 28, 30 and 31",
        "Largest deviation of the exponent of |Delta h_k|, k = 1, 2, ..., in the step from k+1 (hard rates).",
        _ARRIVAL,
        _CORRECTED,
        expected=1e-3,
        comparison="at_most",
        verdict="corrected",
    ),
    Claim(
        "E28.exponents_smooth",
        "Eq 28, 30 and 31",
        "The same for smooth rates (logistic), where the law is that of small steps.",
        _ARRIVAL,
        _CORRECTED,
        expected=1e-3,
        comparison="at_most",
        verdict="corrected",
    ),
    Claim(
        "E28.prefactor",
        "Eq 28, 30 and 31",
        "Largest deviation of |Delta h_k| / ((step^(k+1) / 2) |dC/dh_k|) from 1, over steps and layers (hard rates).",
        _ARRIVAL,
        _CORRECTED,
        expected=1e-5,
        comparison="at_most",
        double=1e-6,
        verdict="corrected",
    ),
    Claim(
        "E28.printed",
        "Eq 28, 30 and 31",
        "Mean over k of |Delta h_k| over the printed 2 step^(k+2) |dC/dh_k|, times 4 step (hard rates).",
        _ARRIVAL,
        "The measured displacement is 1/(4 step) times the printed one: 25 times at step 0.01.",
        expected=1.0,
        comparison="within",
        tolerance=1e-5,
        double=1e-6,
        verdict="corrected",
    ),
    Claim(
        "T17.direction",
        "Eq 30 and 31, section 8",
        "Largest 1 - cosine of Delta h_k and -dC/dh_k at first arrival, over steps and layers (hard rates).",
        "Delta h_k is proportional to the backpropagated gradient dC/dh_k: a single small inference sweep.",
        "To minus the gradient, for tied weights at an equilibrium inside the active region.",
        expected=1e-9,
        comparison="at_most",
        double=1e-12,
        verdict="holds_with_conditions",
    ),
    Claim(
        "T17.weights",
        "Section 8, Eq 1",
        "Largest relative error of Eq 1, both directions added, against -(step^(k+1) / 2) dC/dW (hard rates).",
        "The initial change in weights will follow the back-propagation update, except for the factors step^(k+2).",
        "Factors step^(k+1), tied weights; for smooth rates Eq 1 lacks the slope rho'(h_k) of the gradient.",
        expected=1e-4,
        comparison="at_most",
        double=1e-12,
        verdict="holds_with_conditions",
    ),
    Claim(
        "E29.transposed",
        "Eq 29",
        "Largest asymmetry of the Jacobian of R, relative to its largest element (automatic derivative, both rates).",
        "The derivative of R_h by x is the transpose of that of R_x by h: R is the derivative of a function.",
        "For tied weights.",
        expected=1e-6,
        comparison="at_most",
        double=1e-14,
        verdict="holds_with_conditions",
    ),
    Claim(
        "S8.binomial",
        "Section 8",
        "Largest deviation from 1, up to one tau, of the growth over Pr[Bin(n, step) >= k+1]; mean over networks.",
        _LATER,
        "|displacement of h_k| = |dC/dh_k| / 2 Pr[Bin(n, step) >= k+1] up to reflections, for n step below about 1.",
        expected=0.02,
        comparison="at_most",
        verdict="corrected",
    ),
    Claim(
        "S8.erlang",
        "Section 8",
        "Largest deviation from 1, at one tau, of the growth over the Erlang law of k+1 events; mean over networks.",
        "It will take on the order of the time constant times k for the change in h_k to become significant.",
        "Small steps: 1 - exp(-theta) sum_(i<=k) theta^i / i!, whose mean arrival time is k+1 time constants.",
        expected=0.02,
        comparison="at_most",
        verdict="corrected",
    ),
    Claim(
        "S8.turning",
        "Section 8",
        "Exponent of 1 - cosine in time, from 0.3 to 1 tau, mean over networks and hidden layers (hard rates).",
        _LATER,
        "The angle with the gradient is O(theta^2) for hard rates, whose reflections come two steps later, and "
        "O(theta) for smooth ones.",
        expected=4.0,
        comparison="within",
        tolerance=0.25,
    ),
    Claim(
        "S8.alignment",
        "Section 8",
        "Smallest cosine with -dC/dh_k up to 12 tau, over layers; mean over networks (hard rates).",
        "The neural dynamics and weight updates will behave approximately like back-propagation.",
        "For all times only if the eigenvalues of R' are below 1.",
        expected=0.9,
        comparison="at_least",
        verdict="holds_with_conditions",
    ),
    Claim(
        "S8.limit",
        "Section 8",
        "Largest relative error of the settled displacement against (1 - R'_hh)^-1 R'_hx (X - x).",
        _LATER,
        "The network settles at the total derivative, with all loops, instead of the chain x, h_1, h_2, ...",
        expected=1e-3,
        comparison="at_most",
        double=1e-5,
        verdict="corrected",
    ),
)


def judge(data: xr.Dataset, config: Any) -> dict[str, Measurement]:
    """Compare the run with the criteria."""
    hidden = data.sel(layer=slice(1, None))
    hard, smooth = hidden.sel(rate="hard"), hidden.sel(rate="smooth")
    tied, untied = hard.sel(feedback="tied"), hard.sel(feedback="untied")

    def largest(values: xr.DataArray) -> float:
        return float(np.abs(values).max())

    def exponent_error(values: xr.DataArray) -> float:
        """Largest deviation of the exponents from k+1, whichever law they are of."""
        logarithms = values.copy(data=np.log(values.values)).assign_coords(step=np.log(values.step.values))
        fit = logarithms.polyfit("step", 1)
        return largest(fit.polyfit_coefficients.sel(degree=1) - (values.layer + 1))

    def largest_mean(values: xr.DataArray, of: str = "max") -> tuple[float, tuple[float, float]]:
        """The mean over networks with the largest (smallest) value, and its 95 % interval."""
        mean, error = values.mean("network"), values.std("network", ddof=1) / np.sqrt(values.sizes["network"])
        index = int(mean.values.argmax() if of == "max" else mean.values.argmin())
        value, reach = float(mean.values.flat[index]), 1.96 * float(error.values.flat[index])
        return value, (value - reach, value + reach)

    jump = np.sqrt(largest(data.squared_error))
    objective = data.objective / (config.long_step**2 * data.squared_error)
    corrected, printed = tied.arrival / tied.corrected_law, tied.arrival / tied.printed_law
    asymmetry = data.asymmetry.max(("rate", "network"))
    early = hard.sel(theta=slice(0, 1 + 1e-6))
    binomial = np.abs(early.growth / early.binomial - 1)
    geometric = np.abs(early.growth / (early.theta ** (early.layer + 1) / _factorials(early.layer + 1)) - 1)
    end = hard.sel(theta_fine=1, method="nearest")
    # One event fewer: the law of the layer before.
    too_early = end.erlang_fine.copy(data=erlang(np.array([float(end.theta_fine)]), data.sizes["layer"])[0, :-1])
    arrived = largest_mean(np.abs(end.growth_fine / end.erlang_fine - 1))

    def turning(values: xr.DataArray) -> xr.DataArray:
        first, last = (values.sel(theta_fine=time, method="nearest") for time in (0.3, 1.0))
        time_ratio = float(last.theta_fine / first.theta_fine)
        return (np.log(last / first) / np.log(max(time_ratio, 1.01))).mean("layer")

    turned = largest_mean(turning(hard.angle_fine).expand_dims("all"))
    alignment = largest_mean((1 - hard.angle).min("theta"), "min")
    lost = (1 - hidden.long_angle.sel(stability="unstable").isel(long_time=-1)).mean("network")
    return {
        "E27.trajectory": Measurement(
            largest(data.trajectory_error),
            control=largest(data.state_clamp_error),
            note="Control: the state of x clamped, not its input, after one step.",
        ),
        "E27.objective": Measurement(
            largest(objective - 1), control=largest(0.5 * objective - 1), note="Control: with the 1/2 of Eq 3."
        ),
        "E27.only_x": Measurement(
            largest(data.before),
            control=largest(tied.arrival),
            note=f"Both rates, tied and untied; X - x is up to {jump:.2g} long. Control: after step k+1.",
        ),
        "E28.exponents": Measurement(
            exponent_error(tied.arrival), control=exponent_error(tied.printed_law), note="Control: the printed law."
        ),
        "E28.exponents_smooth": Measurement(
            exponent_error(smooth.arrival.sel(feedback="tied")),
            control=exponent_error(smooth.printed_law.sel(feedback="tied")),
            note="Control: the printed law.",
        ),
        "E28.prefactor": Measurement(
            largest(corrected - 1),
            control=largest(untied.arrival / untied.corrected_law - 1),
            note="Smooth rates, smallest step: "
            f"{largest((smooth.arrival / smooth.corrected_law).sel(feedback='tied').isel(step=0) - 1):.1g}. Control: "
            "untied weights.",
        ),
        "E28.printed": Measurement(
            float((4 * tied.step * printed).mean()),
            control=float(printed.mean()),
            note="Control: the bare ratio to the printed law.",
        ),
        "T17.direction": Measurement(
            largest(tied.arrival_angle),
            control=largest(untied.arrival_angle),
            note="Smooth rates, smallest step: "
            f"{largest(smooth.arrival_angle.sel(feedback='tied').isel(step=0)):.1g}. Control: untied weights.",
        ),
        "T17.weights": Measurement(
            largest(tied.weight_error),
            control=largest(untied.weight_error),
            note=f"Smooth rates, without the slope: {largest(smooth.weight_error.sel(feedback='tied')):.2g}. Control: "
            "untied weights.",
        ),
        "E29.transposed": Measurement(
            float(asymmetry.sel(feedback="tied")),
            control=float(asymmetry.sel(feedback="untied")),
            note="Control: untied weights.",
        ),
        "S8.binomial": Measurement(
            *largest_mean(binomial),
            control=largest_mean(geometric)[0],
            note=f"Largest in one network: {largest(binomial):.3g}. Control: (n step)^(k+1) / (k+1)!, the arrivals "
            "without the leak.",
        ),
        "S8.erlang": Measurement(
            *arrived,
            control=largest_mean(np.abs(end.growth_fine / too_early - 1))[0],
            note=f"Step {config.fine_step:g}. Control: the Erlang law of k events, of mean k.",
        ),
        "S8.turning": Measurement(
            *turned, control=float(turning(smooth.angle_fine).mean()), note="Control: smooth rates."
        ),
        "S8.alignment": Measurement(
            *alignment,
            control=float(lost.min()),
            note="Control: unstable networks at the end of the long simulation.",
        ),
        "S8.limit": Measurement(
            largest(data.limit_error),
            control=float(data.chain_error.min()),
            note="Control: -dC/dh_k / 2, the chain without loops.",
        ),
    }


def binomial_tail(n: np.ndarray, n_layers: int, step: float) -> np.ndarray:
    """Return Pr[Bin(n, step) >= k+1]: what a chain of leaky integrators k = 0, 1, ... has taken up of a lasting input.

    Args:
        n: increasing numbers of steps, shape `[time]`.
        n_layers: how many layers.
        step: step size, in (0, 1].

    Returns:
        Shape `[time, layer]`, by the chain itself, which loses no digits.

    Example:
        >>> import numpy as np
        >>> from stdpjax.studies.backprop_claims import binomial_tail
        >>> binomial_tail(np.array([1, 2]), 2, 0.5).tolist()
        [[0.5, 0.0], [0.75, 0.25]]
    """
    taken, kept = np.zeros(n_layers), []
    for _ in range(int(n[-1])):
        taken = taken + step * (np.concatenate([[1.0], taken[:-1]]) - taken)
        kept.append(taken)
    return np.array(kept)[np.asarray(n) - 1]


def erlang(theta: np.ndarray, n_layers: int) -> np.ndarray:
    """Return 1 - exp(-theta) sum_(i<=k) theta^i / i!, the same in continuous time theta, in units of tau.

    Example:
        >>> import numpy as np
        >>> from stdpjax.studies.backprop_claims import erlang
        >>> erlang(np.array([1.0]), 2).round(4).tolist()
        [[0.6321, 0.2642]]
    """
    # The sum over the later terms: no cancellation while they are small.
    index = np.arange(1, n_layers + int(4 * theta.max()) + 40)
    terms = np.exp(-theta[:, None] + np.cumsum(np.log(theta[:, None] / index), axis=1))
    return np.cumsum(terms[:, ::-1], axis=1)[:, ::-1][:, :n_layers]


def _factorials(values: xr.DataArray) -> xr.DataArray:
    return xr.apply_ufunc(lambda numbers: np.array([np.prod(np.arange(1, n + 1.0)) for n in numbers]), values)
