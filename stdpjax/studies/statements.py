"""What the paper says, in its order, and what was found: one row for each equation and each claim in words."""

from stdpjax.lab.statement import Statement

STATEMENTS: tuple[Statement, ...] = (
    Statement(
        "eq1",
        "Section 2.1, Eq 1",
        "The average weight change is proportional to the presynaptic rate times the temporal change of the "
        "integrated postsynaptic activity.",
        "A definition; in discrete time it has four readings, which agree as steps shrink and differ by a drift of "
        "the order of the step.",
        ("eq1.order", "eq1.drift"),
        "Delta W_ij ~ ds_i/dt rho(s_j)",
    ),
    Statement(
        "sec2.1.activity",
        "Section 2.1, paragraph 2",
        "The change of the integrated activity is preferred to that of the firing rate, because the rule then "
        "descends a clear objective; the two differ little.",
        "Where no unit saturates the two are one rule; in saturation they part.",
        ("sec2.1.active", "sec2.1.saturating"),
    ),
    Statement(
        "eq2",
        "Section 2.1, Eq 2",
        "A presynaptic spike may stand in the place of the presynaptic rate, with the same average, if input spikes "
        "are Poisson and synchrony is ignored.",
        "It may for activity that is given; where the spike itself moves the postsynaptic neuron, the two covary.",
        ("eq2.mean", "eq2.same_step"),
        "Delta W_ij ~ ds_i/dt xi_j",
    ),
    Statement(
        "sec2.2.after",
        "Section 2.2, Figure 2 left",
        "While postsynaptic activity rises, a postsynaptic spike is more likely in a window after a presynaptic spike "
        "than in one before it.",
        "It is, for every rising rate and every length of the window.",
        ("sec2.2.after", "sec2.2.sampled"),
    ),
    Statement(
        "sec2.2.falling",
        "Section 2.2, paragraphs 1 and 2",
        "While it falls, the reverse is true, and updates are negative on average.",
        "They are.",
        ("sec2.2.falling",),
    ),
    Statement(
        "sec2.2.slope",
        "Section 2.2, paragraph 2",
        "The steeper the slope, the larger the effect.",
        "To first order the mean update is the slope times a gain that depends on rate and window.",
        ("sec2.2.gain",),
    ),
    Statement(
        "sec2.2.timing",
        "Section 2.2, paragraph 2",
        "A steeper slope also shortens the time between the two spikes.",
        "The next postsynaptic spike does come sooner, but the mean lag of pairs that potentiate grows with the slope "
        "unless spikes are frequent.",
        ("sec2.2.conditional_lag", "sec2.2.latency"),
    ),
    Statement(
        "sec2.2.cancellation",
        "Section 2.2, paragraph 2",
        "This assumes that the effects of spikes on both sides cancel.",
        "Without the cancellation the curve of Eq 1 is no longer that of STDP.",
        ("sec2.2.cancellation",),
    ),
    Statement(
        "eq3",
        "Section 3.1, Eq 3",
        "With this objective the weight update of Eq 1 is stochastic gradient descent.",
        "It descends the objective with the next state held fixed, a semi-gradient; the true gradient points the "
        "other way.",
        ("eq3.free", "eq3.stop"),
        "J = |f(s_(t-1), eta_(t-1)) - s_(t+1)|^2 / 2",
    ),
    Statement(
        "eq4",
        "Section 3.2, Eq 4 (condition 1)",
        "The next state is linear in a weight, with the presynaptic rate as factor of proportion.",
        "It is, but the factor has the slope of the postsynaptic rate in it, which is no constant.",
        ("eq4.coefficient", "eq4.argument"),
        "df_i / dW_ij ~ rho(s_j)",
    ),
    Statement(
        "eq5",
        "Section 3.2, Eq 5",
        "The gradient of the objective by a weight is the change of the postsynaptic state times the presynaptic "
        "rate, which is Eq 1.",
        "It is, times the slope of the postsynaptic rate: 0 in saturation, where Eq 1 still moves weights.",
        ("eq5.formula", "eq5.saturation"),
        "dJ/dW_ij ~ (s_(t,i) - s_(t+1,i)) rho(s_(t-1,j))",
    ),
    Statement(
        "sec3.2.constant",
        "Section 3.2, last paragraph; section 9",
        "The rule predicts that the average weight change is 0 while the postsynaptic rate is constant, even if it is "
        "high.",
        "It is under rules that are antisymmetric in time; under Eq 1 itself while the activity is constant, which in "
        "saturation is more than a constant rate.",
        ("sec3.2.antisymmetric", "sec3.2.saturated", "sec3.2.causal"),
    ),
    Statement(
        "eq6",
        "Section 3.3, Eq 6",
        "Units that are not clamped integrate their input with a leak.",
        "They do with their own state as the leak; with the printed state of all units they settle elsewhere.",
        ("eq6.leak",),
        "h_(t+1) = h_t + step (R_h(s~_t) - s_t)",
    ),
    Statement(
        "eq7",
        "Section 3.3, Eq 7",
        "With additive noise this is the discretised equation tau dh/dt = R_h(s + eta) - h.",
        "To first order in the step.",
        ("eq7.order",),
        "s~_t = s_t + eta_t",
    ),
    Statement(
        "sec3.3.exponential",
        "Section 3.3, paragraph after Eq 7",
        "It brings h exponentially fast to its target.",
        "By 1 - step in each step while the target stays; in a network the target moves, and each mode has its own "
        "rate.",
        ("sec3.3.eigenvectors", "sec3.3.constant"),
    ),
    Statement(
        "eq8",
        "Section 3.3, Eq 8 (condition 2)",
        "Condition 1 becomes the same condition on R.",
        "It does, with the same factor, the slope of the postsynaptic rate.",
        ("eq8.coefficient",),
        "dR_i / dW_ij ~ rho(s~_j)",
    ),
    Statement(
        "eq9",
        "Section 3.4, Eq 9",
        "In continuous time the objective is half the squared speed.",
        "J of Eq 3 is that times the squared step.",
        ("eq9.value",),
        "J = |ds/dt|^2 / 2",
    ),
    Statement(
        "eq10",
        "Section 3.4, Eq 10",
        "The speed under the energy is the slope of the rate times the weighted input rates, less the state.",
        "The bias is missing.",
        ("eq10.bias",),
        "ds_i/dt ~ rho'(s_i) sum_j W_ij rho(s_j) - s_i",
    ),
    Statement(
        "eq11",
        "Section 3.4, Eq 11",
        "Its gradient gives an update proportional to Eq 1.",
        "The factor is 1 and not 2, and descent is the opposite of Eq 1.",
        ("eq11.factor", "eq11.sign"),
        "dJ/dW_ij = 2 ds_i/dt rho(s_j) rho'(s_i)",
    ),
    Statement(
        "eq12",
        "Section 4, Eq 12",
        "If a state sums up the past, predicting the next observation maximises the likelihood of the sequence.",
        "On clamped sequences the rule learns to predict the next frame; with hidden units beyond one frame.",
        ("eq12.bars", "eq12.digits"),
        "P(x_1 ... x_T) = prod_t P(x_t | s_(t-1))",
    ),
    Statement(
        "sec4.1.inference",
        "Section 4.1, paragraph 1",
        "Hidden units move towards configurations that are more probable given the input, and in the end sample them.",
        "They move down the energy, but what they sample is not exp(-E).",
        ("sec4.1.density", "sec4.1.descends"),
    ),
    Statement(
        "sec4.1.noise",
        "Section 4.1, paragraph 1",
        "Noise is needed to find more than one local mode.",
        "Without it a network stays in the basin where it starts.",
        ("sec4.1.modes",),
    ),
    Statement(
        "eq13",
        "Section 4.1, Eq 13",
        "R(s) - s is proportional to the slope of log P(s), with P = exp(-E).",
        "It is minus the gradient of the energy, with factor 1, between the kinks.",
        ("eq13.gradient",),
        "R(s) - s ~ -dE/ds",
    ),
    Statement(
        "eq14",
        "Section 4.1, Eq 14",
        "The noisy update seems to be a Langevin chain of exp(-E).",
        "The algebra holds, but the noise enters through the gradient: the chain has other variances than exp(-E), "
        "which noise of size sqrt(2 step) samples.",
        ("eq14.variance", "eq14.langevin"),
        "s_(t+1) = s_t + step (-dE(s~_t)/ds~_t + eta_t)",
    ),
    Statement(
        "eq15",
        "Section 4.1, Eq 15",
        "Seen from the noisy states it descends the gradient with the noise eta_(t+1) - (1 - step) eta_t.",
        "The algebra holds; this noise is not white and adds up to step^2 of it over long times.",
        ("eq15.long_run", "eq15.algebra"),
        "s~_(t+1) = s~_t - step dE(s~_t)/ds~_t + eta_(t+1) - (1 - step) eta_t",
    ),
    Statement(
        "eq16",
        "Section 4.2, Eq 16",
        "This energy gives a neural computation and satisfies condition 2, with R its derivative as in Eq 13.",
        "It does, for tied weights.",
        ("eq16.gradient", "eq16.tied"),
        "E(s) = sum_i s_i^2 / 2 - sum_(i<j) W_ij rho(s_i) rho(s_j) - sum_i b_i rho(s_i)",
    ),
    Statement(
        "eq17",
        "Section 4.2, Eq 17",
        "The energy gives this update.",
        "The leak is subtracted twice: as printed the network comes to rest at R(s)/2.",
        ("eq17.half", "eq17.corrected"),
        "s_(t+1,i) = (1-step) s_(t,i) + step (rho'(s~)(b_i + sum_j W_ij rho(s~_j)) - s~_(t,i))",
    ),
    Statement(
        "eq18",
        "Section 4.2, Eq 18",
        "With rates that are linear by part the slope is 1 in the active region and 0 in saturation.",
        "It is; at the thresholds, where it is neither, most energy minima of random networks lie.",
        ("eq18.kinks",),
        "rho(v) = clip(v - beta_1, 0, 1)",
    ),
    Statement(
        "sec4.2.saturation",
        "Section 4.2, last paragraph",
        "A saturated neuron ignores its input and decays exponentially to 0, back into the active region.",
        "It does, after the number of steps that the closed form says.",
        ("sec4.2.steps",),
    ),
    Statement(
        "sec4.2.conditions",
        "Section 4.2, last sentence",
        "Conditions 2 and 1 are satisfied.",
        "In the active region; in saturation the factor is 0.",
        ("sec4.2.active",),
    ),
    Statement(
        "fig3",
        "Figure 3",
        "Under Eq 2 a weight changes at presynaptic spikes alone, and follows the activity on average.",
        "It does.",
        ("fig3.mean",),
    ),
    Statement(
        "sec5.1.speed",
        "Section 5.1, last paragraph",
        "The mean squared speed is measured with and without weight changes; no result is given.",
        "With Eq 1 the units move more while they learn.",
        ("sec5.1.rises",),
    ),
    Statement(
        "fig1.middle",
        "Section 5.2, Figure 1 middle; section 1, paragraph 4",
        "Under Eq 1 simulated spikes give the relationship between timing and weight change that biology shows.",
        "The signs are those of STDP at every lag; the decay with the lag needs frequent spikes, and both sides are "
        "equal, which those of Bi & Poo are not.",
        ("fig1.sign", "fig1.biology_mean", "fig1.sparse"),
    ),
    Statement(
        "fig1.right",
        "Section 5.2, Figure 1 right",
        "So does the nearest-neighbour rule.",
        "Its summed changes do on either side, as the kernel is one of the model's own.",
        ("fig1.nearest_neighbour",),
    ),
    Statement(
        "fig2.right",
        "Section 5.2, Figure 2 right",
        "The two rules are strongly correlated: for a given change by the one, the other changes linearly "
        "proportionally on average.",
        "Averages over bins are, at the rates and widths of the figure; a third of the gain is lost in the outer bins.",
        ("fig2.binned", "fig2.gain", "fig2.conditions"),
    ),
    Statement(
        "eq19",
        "Section 6, Eq 19",
        "The objective is the sum of a part of the hidden and a part of the clamped units.",
        "It is.",
        ("eq19.split",),
        "J = J_h + J_x",
    ),
    Statement(
        "eq20",
        "Section 6.1, Eq 20",
        "The next state is a step down the energy plus noise.",
        "It is; the noise has a mean, of the order of its variance, where rates are curved.",
        ("eq20.drift",),
        "f(s, eta) = s - step dE/ds + noise",
    ),
    Statement(
        "eq21",
        "Section 6.1, Eq 21",
        "Without the noise the objective is in terms of the energy's gradient.",
        "It is.",
        ("eq21.descends",),
        "J ~ |s_(t+1) - s_(t-1) + step dE/ds_(t-1)|^2 / 2",
    ),
    Statement(
        "eq22",
        "Section 6.1, Eq 22",
        "For clamped units it is the squared gradient, but for the effect of the noise.",
        "Exactly; the noise adds a weight decay.",
        ("eq22.exact", "eq22.weight_decay"),
        "J_x ~ step^2 |dE/dx|^2 / 2",
    ),
    Statement(
        "eq23",
        "Section 6.1, Eq 23",
        "That is one term of score matching, which adds the sum of second derivatives.",
        "They are subtracted: with the printed sign, and the energy in the exponent with a minus, the estimate is "
        "wrong.",
        ("eq23.sign",),
        "J_SM = |dE/dx|^2 / 2 + sum_i d^2E/dx_i^2",
    ),
    Statement(
        "eq24",
        "Section 6.1, Eq 24 (condition 3)",
        "The second derivatives do not depend on the parameters, and may be ignored.",
        "Away from the kinks; the kinks carry all of it, and without them estimates shrink.",
        ("eq24.dropped", "eq24.mass", "eq24.almost_everywhere"),
        "d^3E / (dx_i^2 dtheta) = 0",
    ),
    Statement(
        "sec6.1.minimiser",
        "Section 6.1, last paragraph",
        "Given h, minimising J_x is minimising score matching on x.",
        "It has the minimiser of score matching without the second derivative, which is right for data away from the "
        "kinks.",
        ("sec6.1.same", "sec6.1.cold"),
    ),
    Statement(
        "sec6.2.two_steps",
        "Section 6.2, paragraph 2",
        "J_h makes one step do the work of two, so that the next update reaches a local minimum of the energy.",
        "Its value is the squared gradient one step later; but a step along Eq 1 raises the gradient of hidden units, "
        "as the target moves along.",
        ("sec6.2.ascends", "sec6.2.index"),
    ),
    Statement(
        "sec6.2.faster",
        "Section 6.2, paragraph 2",
        "So the criterion makes the chain converge faster.",
        "Units become faster at random states; the time to rest does not fall, and at high rates grows.",
        ("sec6.2.relaxation", "sec6.2.speed"),
    ),
    Statement(
        "sec6.2.near",
        "Section 6.2, paragraph 3",
        "Near a fixed point J_h is like score matching with the inferred h.",
        "h_(t+1) - h_(t-1) stays two steps of the gradient however near; J_h is the squared gradient at the next "
        "state.",
        ("sec6.2.ratio",),
        "J_h ~ step^2 |dE/dh_(t-1)|^2 / 2",
    ),
    Statement(
        "sec6.3.consistent",
        "Section 6.3, paragraphs 1 and 2",
        "Score matching is consistent without latent variables, and MCMC-EM extends it to them.",
        "With the second derivative kept, it is at rest at the truth and learns towards it.",
        ("sec6.3.learns", "sec6.3.stationary", "sec6.3.dropped"),
    ),
    Statement(
        "sec6.3.impatient",
        "Section 6.3, paragraph 3",
        "Updates after every step of inference become the same, on average, as those after it has converged.",
        "With a bias that falls as 1/T, and the same end.",
        ("sec6.3.bias", "sec6.3.impatient"),
    ),
    Statement(
        "sec6.3.faster",
        "Section 6.3, paragraph 3",
        "They should also make inference converge faster.",
        "While digits are learned, inference with clamped inputs does not become faster.",
        ("sec6.3.task",),
    ),
    Statement(
        "sec6.3.hidden",
        "Section 6.3; section 9, last paragraph",
        "The objective may train hidden units without labels, so that they explain what is observed.",
        "Eq 1 on hidden rows has mean 0 under the model; the delta rule on clamped rows learns what PCA does.",
        ("sec6.3.hidden_rows", "sec6.3.fills_in"),
    ),
    Statement(
        "eq25",
        "Section 7, Eq 25",
        "At a fixed point, or a local minimum of the energy, the gradient is 0, so R(s) = s, and the update without "
        "noise leaves s where it is.",
        "At minima between the kinks, to 3e-7; at minima with units at kinks, 25 of 40 random networks, the energy "
        "has no gradient and the update does not come to rest.",
        ("eq25.interior",),
        "dE/ds = 0 => R(s) = s => f(s, 0) = s",
    ),
    Statement(
        "eq26",
        "Section 7, Eq 26",
        "Each unit's state is then the slope of its rate times its input.",
        "Where no unit is at a kink; in general the time average is the solution of s = clip(b + W rho(s), kinks), to "
        "5e-4 at step 0.002.",
        ("eq26.clip",),
        "s_i = rho'(s_i) (b_i + sum_j W_ij rho(s_j))",
    ),
    Statement(
        "sec7.saturated",
        "Section 7, paragraph 2",
        "While a unit is saturated the network cannot be at a fixed point, as that unit decays towards 0, out of "
        "saturation.",
        "It cannot: enumeration of all linear pieces of 40 networks finds no fixed point with a saturated unit.",
        ("sec7.saturated",),
    ),
    Statement(
        "sec7.solution",
        "Section 7, paragraph 2",
        "A global fixed point of the dynamics without noise therefore corresponds to a solution of the usual equation "
        "of weighted rates.",
        "Fixed points are such solutions, but not all of these are fixed points: those of 25 of 40 random networks "
        "have saturated units, and these networks have no fixed point.",
        ("sec7.solution",),
        "s = b + W rho(s)",
    ),
    Statement(
        "sec7.approach",
        "Section 7, paragraph 2",
        "In practice the network probably does not reach a fixed point, but approaches one.",
        "Where there is one, between the kinks, it approaches it with the time constant of the slowest mode of R'.",
        ("sec7.approach",),
    ),
    Statement(
        "sec7.determinant",
        "Section 7, paragraph 2",
        "A stable attractor of the update without noise exists if, and only if, the weights are small enough, namely "
        "if the determinant of R' is less than 1.",
        "The determinant is wrong on three counterexamples, the eigenvalues decide in all random networks whether a "
        "fixed point is stable, and attractors exist for large weights too.",
        ("sec7.determinant", "sec7.spectral", "sec7.attractors"),
        "det R'(s) < 1",
    ),
    Statement(
        "eq27",
        "Section 8, paragraph 2, Eq 27",
        "When the input of a visible unit at equilibrium is replaced by X, the objective is at first its prediction "
        "error alone, the square of its first move.",
        "It is, over all units, to 3e-6.",
        ("eq27.value",),
        "J = |R_x(s) - (x + Delta x)|^2 = |Delta x|^2 = step^2 |X - x|^2",
    ),
    Statement(
        "eq28",
        "Section 8, paragraph 3, Eq 28",
        "But for terms of higher order the first hidden layer moves by 2 step^3 times the gradient of the error, sent "
        "back through R.",
        "The factor is step^2 / 2 of the gradient of |X - x|^2: 1 / (4 step) times what is printed, if J is read as "
        "in Eq 30.",
        ("eq28.prefactor",),
        "Delta h_1 = 2 step^3 dR_h1/dx dJ/dx + o(Delta x)",
    ),
    Statement(
        "eq29",
        "Section 8, Eq 29",
        "The derivatives of R across layers are each other's transpose, as R is the derivative of a function.",
        "They are for tied weights.",
        ("eq29.transposed",),
        "dR_h1/dx = (dR_x/dh_1)^T",
    ),
    Statement(
        "eq30",
        "Section 8, Eq 30",
        "So the first hidden layer moves along a gradient as back-propagation gives it, with a positive factor.",
        "The direction is that of back-propagation, for tied weights, with a negative factor: down the error.",
        ("eq30.direction",),
        "Delta h_1 = 2 step^3 d|X - x|^2/dh_1 + o(Delta x)",
    ),
    Statement(
        "eq31",
        "Section 8, Eq 31",
        "The layer after it moves in the next step in the same way, with one more factor of the step.",
        "It does, as do those behind it; the factor of layer k is -step^(k+1) / 2.",
        ("eq31.prefactor",),
        "Delta h_2 = 2 step^4 d|X - x|^2/dh_2 + o(Delta x)",
    ),
    Statement(
        "sec8.weights",
        "Section 8, paragraph after Eq 31",
        "The first change of the weights follows back-propagation, but for factors step^(k+2) of layer k, which make "
        "remote layers slower.",
        "It does, with tied weights whose two directions add up; the factors are step^(k+1) / 2.",
        ("sec8.weights",),
    ),
    Statement(
        "sec8.time",
        "Section 8, paragraph after Eq 31",
        "It takes a time of the order of k time constants until the change of layer k is significant.",
        "It does: at one time constant the change has grown as the chance of k + 1 events, which take k + 1 time "
        "constants on average.",
        ("sec8.time",),
    ),
    Statement(
        "sec8.supervised",
        "Section 8, paragraph on inputs and outputs",
        "When inputs are clamped, the network has settled, and then outputs are pulled to a target, the hidden layers "
        "and weights change towards a smaller error of the outputs.",
        "For tied weights and rates of slope 1 Eq 1 follows back-propagation at first, and over the whole pull the "
        "gradient of the settled error, with an error in proportion to the pull.",
        ("sec8.supervised", "sec8.one_sided"),
    ),
    Statement(
        "sec8.differences",
        "Section 8, last paragraph",
        "Dynamics and weight updates are approximately those of back-propagation; there are differences, above all "
        "after more time steps.",
        "In stable networks hidden layers keep a cosine of 0.97 with the gradient for 12 time constants; 1 - cosine "
        "grows with the fourth power of time.",
        ("sec8.alignment", "sec8.turning"),
    ),
    Statement(
        "sec8.inexpensive",
        "Section 8, last paragraph",
        "So the framework can learn with inexpensive inference.",
        "Networks learn digits; whether hidden layers matter there is what the controls decide.",
        ("sec8.accuracy", "sec8.hidden_layer"),
    ),
    Statement(
        "sec9.reinforce",
        "Section 9, paragraph 3",
        "The variance of REINFORCE grows linearly with the number of neurons.",
        "It does relative to the squared gradient, with a baseline; that of the local rule does not grow.",
        ("sec9.linear", "sec9.local"),
    ),
    Statement(
        "sec9.experiment",
        "Section 9, paragraph 4",
        "The prediction of no change at a constant rate can be tested in an experiment.",
        "With the number of cells that the power of the test says.",
        ("sec9.cells", "sec9.false_alarms"),
    ),
    Statement(
        "sec9.downhill",
        "Section 9, last paragraph",
        "Each step of inference leads on average to an equally or more likely configuration.",
        "Between the kinks and without noise; at kinks the energy rises at every other step, and at equilibrium noise "
        "raises it as often as not.",
        ("sec9.kinks", "sec9.interior", "sec9.noise"),
    ),
)
