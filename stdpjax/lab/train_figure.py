"""The learning curve of a training run."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from stdpjax import plotting


def plot(history: Sequence[Mapping[str, float]], interval: tuple[float, float], title: str) -> Figure:
    """Draw errors, with the interval of the last test accuracy, loss and maybe energy over the epochs."""
    epochs = range(1, len(history) + 1)
    figure = plotting.new_figure(9.0, 3.6)
    names = [name for name in ("loss", "energy") if name in history[0]]
    errors, *others = figure.subplots(1, 1 + len(names), width_ratios=(1.5, *[1] * len(names)))
    for name, values, color in (
        ("training, during the epoch", [metrics["error"] for metrics in history], plotting.COLORS["eq1"]),
        ("test, after the epoch", [1 - metrics["test_accuracy"] for metrics in history], plotting.COLORS["sum"]),
    ):
        errors.plot(epochs, [100 * value for value in values], color=color, marker=".", ms=3, lw=1.2, label=name)
    low, high = (100 * (1 - end) for end in reversed(interval))
    errors.axhspan(low, high, color=plotting.COLORS["sum"], alpha=0.15, lw=0, label="test, 95 % interval at the end")
    errors.set_ylim(bottom=0)
    errors.legend()
    plotting.label(errors, title, "epoch", "wrong labels (%)")
    for ax, name, color in zip(others, names, (plotting.COLORS["eq1"], plotting.COLORS["nearest"]), strict=False):
        ax.plot(epochs, [metrics[name] for metrics in history], color=color, marker=".", ms=3, lw=1.2)
        words = {"loss": "squared error / 2", "energy": "energy after the first phase"}[name]
        plotting.label(ax, f"Training {name}", "epoch", words)
    for ax in (errors, *others):
        ax.xaxis.get_major_locator().set_params(integer=True)
    return figure
