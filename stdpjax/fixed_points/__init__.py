"""Where the network settles, and whether it stays there (Eq 25, 26 and section 7).

At an interior fixed point s = R(s). The hard sigmoid's energy may instead have its minimum at a kink, where its
gradient jumps through zero and s = R(s) has no solution: then the step s + step (R(s) - s) chatters about the kink for
ever. Both kinds obey s = clip(b + W rho(s), kinks), the optimality conditions of the energy on the box between the
kinks, and the clip form finds both.
"""

from stdpjax.fixed_points.relaxation import TOWARDS, FixedPoint, Form, clip_field, natural_form, relax
from stdpjax.fixed_points.stability import Stability, relaxation_time, spectral_stability

__all__ = ["TOWARDS", "FixedPoint", "Form", "Stability", "clip_field", "natural_form", "relax", "relaxation_time"]
__all__ += ["spectral_stability"]
