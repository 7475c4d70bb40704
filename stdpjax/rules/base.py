"""What a plasticity rule is: a pair of pure functions that turn samples of activity into weight updates."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from stdpjax import _alike, _checks
from stdpjax._checks import ArrayLike
from stdpjax._docs import documented
from stdpjax._units import Measured

RuleState = Any


@documented
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
    bin_ms: float | Float[Array, ""] | None = None
    """Length of the step in ms, above 0; None for 1 ms."""
    weights: Float[Array, "post pre"] | None = None
    """Weights before the step; a simulation shows them to observers."""
    info: Any = None
    """What the kernel of a simulation says of its step, such as its acceptance."""
    inputs: Any = None
    """What else reaches the network in this step, such as a reward; see `stdpjax.dynamics.simulate`."""


def _refuse(field: "_Absent", *_: Any) -> Any:
    raise ValueError(f"{field.name}: expected a sample that has it, which this rule needs, got spikes alone")


class _Absent:
    """What stands for a field that whoever makes the samples does not have: any use of it names the field."""

    name: str

    def __init__(self, name: str) -> None:
        self.__dict__["name"] = name


for _use in (
    *("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "rpow", "matmul", "rmatmul"),
    *("neg", "abs", "lt", "le", "gt", "ge", "getitem", "getattr", "array", "jax_array", "len", "iter", "float", "bool"),
):
    setattr(_Absent, f"__{_use}__", _refuse)


def absent(name: str) -> Any:
    """Return what stands for a field that no sample of the caller has: any use of it is a ValueError."""
    return _Absent(name)


def required(sample: Sample, name: str) -> Array:
    """Return a field of a sample that a rule needs.

    Raises:
        ValueError: whoever made the sample left the field out.
    """
    value = getattr(sample, name)
    if value is None:
        raise ValueError(f"{name}: expected a sample that has it, which this rule needs, got None")
    return _refuse(value) if isinstance(value, _Absent) else value


@documented
class TraceRule(NamedTuple):
    """A rule of decaying traces, defined once for time bins, single events and exact means.

    The numbers are apart from the functions, so that a program is compiled once for all of them. Traces belong to
    the instant just before the spikes; `decay` carries them over `elapsed`, `spikes` reads them and adds the spikes.
    Spike indicators are floats: where `has_exact_mean`, `spikes` is of degree one in each quantity that is independent
    of the others, and probabilities in the place of indicators give the mean. All times are in ms.
    """

    parameters: Any
    """Numbers, in a pytree of their own."""
    init: Callable[[Float[Array, "post pre"]], RuleState]
    """Traces before the first spike, from the weights."""
    decay: Callable[[Any, RuleState, Float[Array, ""]], RuleState]
    """`decay(parameters, traces, elapsed)`, `elapsed` in ms."""
    spikes: Callable[..., tuple[Float[Array, "post pre"], RuleState]]
    """`spikes(parameters, traces, pre[pre], post[post], weights[post, pre])` gives the change and the traces."""
    has_exact_mean: bool = True
    """Whether the mean of the change is the change at the mean, for independent spikes. `expected_updates` enumerates
    short trains to see whether it is so."""

    __eq__, __hash__ = _alike.by("init", "decay", "spikes", "has_exact_mean", "parameters")


@documented
class Rule(NamedTuple):
    """A plasticity rule for a scan over time.

    `init(weights)` gives the state before the first step; `update(sample, rule_state, weights)` gives
    `(delta_w, rule_state)` with `delta_w` of shape `[post, pre]`, to be added to the weights.
    """

    init: Callable[[Float[Array, "post pre"]], RuleState]
    update: Callable[[Sample, RuleState, Float[Array, "post pre"]], tuple[Float[Array, "post pre"], RuleState]]
    traces: TraceRule | None = None
    """What `update` follows from, for a rule of decaying traces."""
    bin_ms: float | None = None
    """Width in ms of the only bins that it can be used with, as it has a number for each; None for any width."""
    check_weights: Callable[[ArrayLike], None] = lambda weights: None
    """Raises ValueError for known weights, of any shape, that it cannot start from."""

    # A rule that is made anew in a loop is the same static argument.
    __eq__, __hash__ = _alike.by("init", "update")


def check_rule(rule: Rule, name: str = "rule") -> None:
    """Refuse what is no rule, such as the function that makes one."""
    if not isinstance(rule, Rule):
        hint = f"; call it: `{getattr(rule, '__name__', 'rule')}(...)`" if callable(rule) else ""
        raise ValueError(f"{name}: expected a plasticity rule, got {rule!r}{hint}")


def check_use(rule: Rule, bin_ms: Measured, weights: Any) -> Any:
    """Return the width of a time bin in ms, refusing what is no rule, and bins or weights that it cannot use.

    Args:
        rule: the rule.
        bin_ms: width of the caller's bins, in ms or with a unit.
        weights: that the rule starts from; looked at only where they are known.

    Raises:
        ValueError: names the argument.
    """
    check_rule(rule)
    bin_ms = _checks.milliseconds("bin_ms", bin_ms, above=0)
    if rule.bin_ms is not None and _checks.is_concrete(bin_ms) and not np.isclose(float(bin_ms), rule.bin_ms):
        raise ValueError(
            f"bin_ms: expected {rule.bin_ms:g} ms, the bins that the rule's kernel is made for, got {float(bin_ms):g}"
        )
    if _checks.is_concrete(weights):
        rule.check_weights(weights)
    return bin_ms


def change_by(
    rule: Rule, sample: Sample, rule_state: RuleState, weights: Float[Array, "post pre"]
) -> tuple[Float[Array, "post pre"], RuleState]:
    """Return what a rule makes of a sample, refusing a rule that needs what the sample lacks or has another form.

    Raises:
        ValueError: a field of the sample that is not there, a change of another shape than the weights, or a state
            that is not of the form that it had.
    """
    before = _form(rule_state)
    with reading(sample, "rule"):
        changed = rule.update(sample, rule_state, weights)
    if not (isinstance(changed, tuple) and len(changed) == 2):
        raise ValueError(f"rule: expected an update that returns (delta_w, rule_state), got {type(changed).__name__}")
    delta_w, rule_state = changed
    if jnp.shape(delta_w) != weights.shape:
        raise ValueError(
            f"rule: expected a delta_w of the weights' shape [post, pre], {weights.shape}, got {jnp.shape(delta_w)}"
        )
    if _form(rule_state) != before:
        raise ValueError(
            f"rule: expected an update that returns a rule_state of the form that init gives, {before}, got "
            f"{_form(rule_state)}"
        )
    return delta_w, rule_state


@contextmanager
def reading(sample: Sample, name: str) -> Iterator[None]:
    """Explain a failure of what reads a sample by the fields that the sample lacks, if it lacks any."""
    try:
        yield
    except (AttributeError, TypeError) as error:
        fields = {field: value for field, value in sample._asdict().items() if field not in ("bin_ms", "weights")}
        missing = [field for field, value in fields.items() if value is None or isinstance(value, _Absent)]
        is_own = isinstance(error, AttributeError) and isinstance(error.obj, Sample)  # a field that no sample has
        if is_own or not missing:
            raise
        raise ValueError(
            f"{name}: expected one that does without {', '.join(missing)}, which the samples lack, got one that fails: "
            f"{error}"
        ) from error


def signal_of(
    function: Callable[[Sample], Any], ndim: int | None = None, name: str = "function", *, is_real: bool = False
) -> Callable[[Sample], Any]:
    """Return a function of a sample that refuses signals which a sample lacks, are not real or of other axes."""
    _checks.function(name, function, "sample")

    def signal(sample: Sample) -> Any:
        with reading(sample, name):
            found = function(sample)
        if any(leaf is None for leaf in jax.tree.leaves(found, is_leaf=lambda leaf: leaf is None)):
            raise ValueError(f"{name}: expected a signal that the samples have, got {found!r}")
        if ndim is None and not is_real:
            return found
        if isinstance(found, int | float):
            found = jnp.asarray(found)
        dtype = getattr(found, "dtype", None)
        if dtype is None or not hasattr(found, "shape") or jnp.issubdtype(dtype, jnp.complexfloating):
            raise ValueError(f"{name}: expected one that gives an array of real numbers for each sample, got {found!r}")
        if ndim not in (None, found.ndim):
            raise ValueError(f"{name}: expected a signal of shape [unit], got shape {found.shape}")
        return found

    return signal


def _form(rule_state: RuleState) -> str:
    """Return the structure, shapes and types of a state, which a scan needs to stay as they are."""
    forms = jax.tree.map(lambda leaf: f"{jnp.result_type(leaf)}{list(jnp.shape(leaf))}", rule_state)
    return str(forms).replace("'", "")
