"""The learning curve of a training run."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure


def plot(history: Sequence[Mapping[str, float]], interval: tuple[float, float], title: str) -> Figure:
    """Draw errors, with the interval of the last test accuracy, loss and maybe energy over the epochs."""
    epochs = range(1, len(history) + 1)
    names = [name for name in ("loss", "energy") if name in history[0]]
    figure = new_figure(9.0, 3.6)
    errors, *others = figure.subplots(1, 1 + len(names), width_ratios=(1.5, *[1] * len(names)))
    wrong = [100 * metrics["error"] for metrics in history]
    wrong_in_test = [100 * (1 - metrics["test_accuracy"]) for metrics in history]
    curve(errors, epochs, wrong, ".-", "eq1", "training, during the epoch", ms=3, lw=1.2)
    curve(errors, epochs, wrong_in_test, ".-", "sum", "test, after the epoch", ms=3, lw=1.2)
    low, high = (100 * (1 - end) for end in reversed(interval))
    errors.axhspan(low, high, color=COLORS["sum"], alpha=0.15, lw=0, label="test, 95 % interval at the end")
    errors.set_title(title)
    frame(errors, "epoch", "wrong labels (%)", ylim=(0, None))
    errors.legend()
    for ax, name, color in zip(others, names, ("eq1", "nearest"), strict=False):
        curve(ax, epochs, [metrics[name] for metrics in history], ".-", color, ms=3, lw=1.2)
        ax.set_title(f"Training {name}")
        frame(ax, "epoch", {"loss": "squared error / 2", "energy": "energy after the first phase"}[name])
    for ax in (errors, *others):
        ax.xaxis.get_major_locator().set_params(integer=True)
    return figure
