"""What a plasticity rule is: a pair of pure functions that turn samples of activity into weight updates."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Bool, Float

RuleState = Any


class Sample(NamedTuple):
    """What a rule sees of one time step.

    In a recurrent network the two populations are the same units and so are the arrays.
    """

    post_state: Float[Array, "post"]
    """Integrated activity s before the step."""
    next_post_state: Float[Array, "post"]
    """Integrated activity after the step."""
    pre_rate: Float[Array, "pre"]
    """Presynaptic rate rho(s) before the step."""
    pre_spikes: Bool[Array, "pre"] | None = None
    """Presynaptic spikes drawn in this step; None where only rates are simulated."""
    post_spikes: Bool[Array, "post"] | None = None
    """Postsynaptic spikes drawn in this step."""
    post_slope: Float[Array, "post"] | None = None
    """Slope rho'(s) of the rate function before the step."""


def required(sample: Sample, name: str) -> Array:
    """Return a field of a sample that a rule needs.

    Raises:
        ValueError: whoever made the sample left the field out.
    """
    value = getattr(sample, name)
    if value is None:
        raise ValueError(f"{name}: expected a sample that has it, which this rule needs, got None")
    return value


class TraceRule(NamedTuple):
    """A rule of decaying traces, defined once for time bins, single events and exact means.

    The numbers are apart from the functions, so that a program is compiled once for all of them. Traces belong to
    the instant just before the spikes; `decay` carries them over `elapsed`, `spikes` reads them and adds the spikes.
    Spike indicators are floats: where `has_exact_mean`, `spikes` is of degree one in each quantity that is independent
    of the others, and probabilities in the place of indicators give the mean.
    """

    parameters: Any
    """Numbers, in a pytree of their own."""
    init: Callable[[Float[Array, "post pre"]], RuleState]
    """Traces before the first spike, from the weights."""
    decay: Callable[[Any, RuleState, Float[Array, ""]], RuleState]
    """`decay(parameters, traces, elapsed)`."""
    spikes: Callable[..., tuple[Float[Array, "post pre"], RuleState]]
    """`spikes(parameters, traces, pre[pre], post[post], weights[post, pre])` gives the change and the traces."""
    bin_width: float | Array | None = 1.0
    """Width of a time bin, in the unit of the time constants; None where time plays no part."""
    has_exact_mean: bool = True
    """Whether the mean of the change is the change at the mean, for independent spikes."""


class Rule(NamedTuple):
    """A plasticity rule for a scan over time.

    `init(weights)` gives the state before the first step; `update(sample, rule_state, weights)` gives
    `(delta_w, rule_state)` with `delta_w` of shape `[post, pre]`, to be added to the weights.
    """

    init: Callable[[Float[Array, "post pre"]], RuleState]
    update: Callable[[Sample, RuleState, Float[Array, "post pre"]], tuple[Float[Array, "post pre"], RuleState]]
    traces: TraceRule | None = None
    """What `update` follows from, for a rule of decaying traces."""

    # By its functions: a rule of arrays is a static argument as well.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rule) and (self.init, self.update) == (other.init, other.update)

    def __hash__(self) -> int:
        return hash((self.init, self.update))
