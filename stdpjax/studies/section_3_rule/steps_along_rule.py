"""What a step along Eq 1 does to a network's prediction of its next state, and which change descent follows."""

import jax
from jaxtyping import Array, Float

from stdpjax.dynamics import transition
from stdpjax.energy import Params
from stdpjax.objectives import prediction_error, stdp_objective
from stdpjax.rates import RateFunction, hard_sigmoid, sigmoid
from stdpjax.studies.measures import cosine, off_diagonal


def eq_1(change: Float[Array, "unit"], rates: Float[Array, "unit"]) -> Float[Array, "unit unit"]:
    """Return the update of all weights by changes of the units and presynaptic rates."""
    return off_diagonal(change[:, None] * rates[None, :])


def two_steps(
    params: Params, state: Float[Array, "unit"], noise: Float[Array, "two unit"], rho: RateFunction, step: float | Array
) -> tuple[Float[Array, "unit"], Float[Array, "unit"]]:
    """Return s_t and s_{t+1} from s_{t-1}."""
    current = transition(params, state, noise[0], rho, step)
    return current, transition(params, current, noise[1], rho, step)


def error_changes(
    params: Params,
    state: Float[Array, "unit"],
    noise: Float[Array, "two unit"],
    later: Float[Array, "two unit"],
    outside: Float[Array, "unit"],
    step: float | Array,
) -> dict[str, Float[Array, ""]]:
    """Return the relative change of the error of predicting the next state, after a step of rate 1 along Eq 1.

    The error is that of the prediction after the step, from the state that was reached, with later noise. What is
    predicted is the network's own state, or that of the network before the step, or comes from outside.
    """
    rho = hard_sigmoid()
    current, reached = two_steps(params, state, noise, rho, step)
    _, before = two_steps(params, reached, later, rho, step)

    def change(learned: Float[Array, "unit"], goal: Float[Array, "unit"] | None) -> Float[Array, ""]:
        def error(params: Params) -> Float[Array, ""]:
            if goal is None:
                return stdp_objective(params, reached, later, rho, step)
            return prediction_error(params, reached, later[0], goal, rho, step)

        moved = params._replace(weights=params.weights + eq_1(learned - current, rho.value(state)))
        return error(moved) / error(params) - 1

    own, held, given = change(reached, None), change(reached, before), change(outside, outside)
    return {"own_change": own, "held_change": held, "outside_change": given}


def rate_less_activity(
    params: Params, state: Float[Array, "unit"], noise: Float[Array, "two unit"], step: float | Array
) -> Float[Array, ""]:
    """Return how much better descent of J_STDP, for sigmoid units, agrees with d rho(s_i)/dt than with ds_i/dt.

    Cosines with either times rho(s_j), the next state held fixed.
    """
    rho = sigmoid()
    current, reached = two_steps(params, state, noise, rho, step)
    descent = off_diagonal(-jax.grad(stdp_objective)(params, state, noise, rho, step).weights)
    pre_rates = rho.value(state)
    of_rate = cosine(descent, eq_1(rho.value(reached) - rho.value(current), pre_rates))
    return of_rate - cosine(descent, eq_1(reached - current, pre_rates))
