"""Wrong kernels that take the numbers of the right ones, for tests of what a claim would lose."""

from typing import Any, ClassVar

from stdpjax.dynamics import HeatHyper, Kernel, Langevin, NoiseHyper


class PrintedLeak(Kernel):
    """Eq 17 as printed, without noise: the leak is subtracted twice."""

    def __call__(self, key: Any, state: Any, field: Any, hyper: Any) -> Any:
        return state + hyper.step * (field.pull(state) - state)


class AtTemperatureOne(Kernel):
    """Langevin dynamics in the place of noise-free descent."""

    def __call__(self, key: Any, state: Any, field: Any, hyper: Any) -> Any:
        return Langevin(self.rate_fn)(key, state, field, HeatHyper(hyper.step, 1.0))


class AtTemperatureOneWhateverTheNoise(AtTemperatureOne):
    """The same in the place of the paper's noise."""

    Hyper: ClassVar[type] = NoiseHyper
