"""Plain Python pairing, written from the words of section 5.1 and nothing else."""


def loop_nearest_lag(pre, post, window, coincidence="skip", sides="one", boundary="silent"):
    """Return the lag of every bin of one train, 0 for no update."""
    n_steps = len(pre)
    lags = []
    for t in range(n_steps):
        lag = 0
        if pre[t]:
            left = [t - u for u in range(max(0, t - window), t) if post[u]]
            right = [u - t for u in range(t + 1, min(n_steps, t + window + 1)) if post[u]]
            if post[t] and coincidence == "skip":
                lag = 0
            elif left and right:
                if sides == "both" and min(left) != min(right):
                    lag = min(right) if min(right) < min(left) else -min(left)
            elif right:
                lag = min(right)
            elif left:
                lag = -min(left)
        lags.append(lag)
    return lags if boundary == "silent" else lags[window : n_steps - window]
