"""Plain Python rules, written from pairs and triplets of spikes: nothing decays, nothing is kept.

Each takes sorted spike times and returns {time of the event: change}. `order` "read_after" lets pairs at lag 0 count;
`coincidence` "skip" drops whatever is due at a time at which both neurons spike.
"""

from math import exp


def last(times, t, inclusive):
    """The last time before t, or at it, as a list of at most one."""
    return [s for s in times if s < t or (inclusive and s == t)][-1:]


def following(times, t, inclusive):
    return [s for s in times if s > t or (inclusive and s == t)][:1]


def counted_pairs(pre, post, scheme, order, coincidence):
    """Pairs (pre, post) that potentiate, and those that depress."""
    # A skipped coincidence is no pair, in either order.
    inclusive = order == "read_after" and coincidence == "ignore"

    def is_clear(early, late, own, other):
        """No spike between, of the early spike's neuron or of the other; with lag 0, ends are closer pairs."""
        if early == late:
            return True
        between_own = [s for s in own if early < s < late or (inclusive and s == late)]
        between_other = [s for s in other if early < s < late or (inclusive and s == early)]
        return not between_own and not between_other

    if scheme == "all_to_all":
        up = [(s, t) for s in pre for t in post if s < t or (inclusive and s == t)]
        down = [(s, t) for s in pre for t in post if t < s or (inclusive and s == t)]
    elif scheme == "nearest_symmetric":
        up = [(s, t) for t in post for s in last(pre, t, inclusive)]
        down = [(s, t) for s in pre for t in last(post, s, inclusive)]
    elif scheme == "presynaptic_centred":
        up = [(s, t) for s in pre for t in following(post, s, inclusive)]
        down = [(s, t) for s in pre for t in last(post, s, inclusive)]
    else:
        up = [(s, t) for s in pre for t in post if (s < t or (inclusive and s == t)) and is_clear(s, t, pre, post)]
        down = [(s, t) for s in pre for t in post if (t < s or (inclusive and s == t)) and is_clear(t, s, post, pre)]
    return up, down


def collect(terms, pre, post, coincidence):
    """Sum (time, change) by time."""
    changes = dict.fromkeys(sorted({*pre, *post}), 0.0)
    for t, change in terms:
        if not (coincidence == "skip" and t in pre and t in post):
            changes[t] += change
    return changes


def pair_changes(pre, post, numbers, scheme, order, coincidence):
    plus, minus, tau_plus, tau_minus = numbers
    up, down = counted_pairs(pre, post, scheme, order, coincidence)
    terms = [(t, plus * exp((s - t) / tau_plus)) for s, t in up]
    terms += [(s, -minus * exp((t - s) / tau_minus)) for s, t in down]
    return collect(terms, pre, post, coincidence)


def earlier(times, t, scheme, order):
    inclusive = order == "read_after"
    return last(times, t, inclusive) if scheme == "nearest" else [s for s in times if s < t or (inclusive and s == t)]


def triplet_changes(pre, post, numbers, scheme, order, coincidence):
    plus, triple_plus, minus, triple_minus, tau_plus, tau_minus, tau_x, tau_y = numbers
    terms = []
    for t in post:
        for s in earlier(pre, t, scheme, order):
            effect = plus + triple_plus * sum(exp((u - t) / tau_y) for u in earlier(post, t, scheme, order))
            terms.append((t, exp((s - t) / tau_plus) * effect))
    for s in pre:
        for t in earlier(post, s, scheme, order):
            effect = minus + triple_minus * sum(exp((u - s) / tau_x) for u in earlier(pre, s, scheme, order))
            terms.append((s, -exp((t - s) / tau_minus) * effect))
    return collect(terms, pre, post, coincidence)


def suppression_changes(pre, post, numbers, scheme, order, coincidence):
    plus, minus, tau_plus, tau_minus, tau_pre, tau_post = numbers

    def efficacies(times, tau):
        return {t: 1.0 if i == 0 else 1 - exp((times[i - 1] - t) / tau) for i, t in enumerate(times)}

    of_pre, of_post = efficacies(pre, tau_pre), efficacies(post, tau_post)
    terms = [
        (t, plus * of_pre[s] * of_post[t] * exp((s - t) / tau_plus))
        for t in post
        for s in earlier(pre, t, scheme, order)
    ]
    terms += [
        (s, -minus * of_pre[s] * of_post[t] * exp((t - s) / tau_minus))
        for s in pre
        for t in earlier(post, s, scheme, order)
    ]
    return collect(terms, pre, post, coincidence)
