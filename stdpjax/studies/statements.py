"""What the paper says, in its order, and what was found: one row for each equation and each claim in words."""

from stdpjax.lab.statement import Statement

STATEMENTS: tuple[Statement, ...] = (
    Statement(
        "eq1",
        "Section 2.1, Eq 1",
        "The proposed average weight change is proportional to the presynaptic rate times the temporal change of the "
        "integrated postsynaptic activity.",
        "A definition, which in discrete time has four readings: they agree as steps shrink, and differ for each step "
        "by -3, -1, 0 or +1 products of two changes, a drift that does not average out.",
        ("eq1.order", "eq1.drift"),
        "Delta W_ij ~ ds_i/dt rho(s_j)",
    ),
    Statement(
        "sec2.1.activity",
        "Section 2.1, paragraph 2; section 9",
        "The change of the integrated activity is preferred to that of the firing rate, because STDP then descends a "
        "clear objective; the difference between the two is small.",
        "While units seldom saturate the two correlate by 0.95; where they saturate in 40 % of bins by 0.78, and "
        "there the descent of the objective (Eq 5) is the change of the rate.",
        ("sec2.1.active", "sec2.1.objective"),
    ),
    Statement(
        "eq2",
        "Section 2.1, Eq 2",
        "A presynaptic spike may stand in the place of the presynaptic rate, with the same average, if input spikes "
        "are Poisson and synchrony is ignored.",
        "It may for activity that is given; a spike that itself moves the postsynaptic neuron goes together with its "
        "effect, which adds step rho' W_ij p (1-p) to the mean.",
        ("eq2.mean", "eq2.same_step"),
        "Delta W_ij ~ ds_i/dt xi_j",
    ),
    Statement(
        "sec2.2.after",
        "Section 2.2, paragraph 1, Figure 2 left",
        "While postsynaptic activity rises, a Poisson neuron is more likely to spike in a window after a presynaptic "
        "spike than in one of the same length before it.",
        "It is, in windows of every length through which the rate rises; where it rises at the presynaptic spike "
        "alone, the order can be the reverse.",
        ("sec2.2.after",),
    ),
    Statement(
        "sec2.2.falling",
        "Section 2.2, paragraphs 1 and 2",
        "While it falls, all this is reversed, and updates are negative on average.",
        "They are under rules that are antisymmetric in time; under the published fit of Bi & Poo slow falls still "
        "potentiate.",
        ("sec2.2.falling",),
    ),
    Statement(
        "sec2.2.slope",
        "Section 2.2, paragraph 2",
        "The steeper the slope, the larger the effect.",
        "The mean update is the slope times a gain that depends on rate and window, within 1 % up to slopes that take "
        "a rate to 0 in the window.",
        ("sec2.2.gain",),
    ),
    Statement(
        "sec2.2.timing",
        "Section 2.2, paragraph 2, and the caption of Figure 2",
        "A steeper slope also brings the postsynaptic spike closer to the presynaptic one, where spikes on both sides "
        "change nothing.",
        "Only where spikes are frequent: at 0.2 per bin the mean lag of pairs that potentiate falls with the slope, "
        "at 0.02 it grows by 0.7 bins.",
        ("sec2.2.conditional_lag",),
    ),
    Statement(
        "sec2.2.cancellation",
        "Section 2.2, paragraph 2",
        "The argument assumes that the effects of spikes on both sides cancel.",
        "It needs that: where such spikes are paired all the same, the curve of Eq 1 by lag starts near 0 and does "
        "not jump at lag 0.",
        ("sec2.2.cancellation",),
    ),
    Statement(
        "eq3",
        "Section 3.1, Eq 3",
        "With this objective per step the weight update of Eq 1 is stochastic gradient descent on it.",
        "It descends the objective with the next state held fixed, a semi-gradient (cosine 0.9998); the true gradient "
        "points the other way (-0.9998).",
        ("eq3.free", "eq3.stop"),
        "J = |f(s_(t-1), eta_(t-1)) - s_(t+1)|^2 / 2",
    ),
    Statement(
        "eq4",
        "Section 3.2, Eq 4 (condition 1)",
        "The condition for Eq 5: the next state is linear in a weight, with the presynaptic rate as factor.",
        "It is, with the rate of the noisy state and with step rho' of the postsynaptic state as a further factor, "
        "which is no constant.",
        ("eq4.factor",),
        "df_i(s_(t-1), eta_(t-1)) / dW_ij ~ rho(s_(t-1,j))",
    ),
    Statement(
        "eq5",
        "Section 3.2, Eq 5",
        "Under condition 1 the gradient of the objective by a weight is proportional to the change of the "
        "postsynaptic state times the presynaptic rate one step earlier; descent is then Eq 1.",
        "With the next state held fixed it is, times the slope of the postsynaptic rate: 0 in saturation, where Eq 1 "
        "still moves weights.",
        ("eq5.formula", "eq5.saturation"),
        "dJ/dW_ij ~ (s_(t,i) - s_(t+1,i)) rho(s_(t-1,j))",
    ),
    Statement(
        "sec3.2.constant",
        "Section 3.2, last paragraph; section 9, paragraph 4",
        "The rule predicts that the average weight change is 0 while the postsynaptic rate is constant, even if it is "
        "high.",
        "It is under nearest-neighbour rules that are antisymmetric in time, for spikes that are independent given "
        "the rates; under Eq 1 it is not in saturation, where the rate is constant and the activity moves.",
        ("sec3.2.antisymmetric", "sec3.2.saturated", "sec3.2.causal"),
    ),
    Statement(
        "eq6",
        "Section 3.3, Eq 6",
        "Units that are not clamped integrate their input with a leak: they go a step towards what the network asks "
        "of them.",
        "They do with their own state h as the leak; the printed s is that of all units, and with the clamped ones in "
        "the place of h units settle elsewhere.",
        ("eq6.leak",),
        "h_(t+1) = h_t + step (R_h(s~_t) - s_t)",
    ),
    Statement(
        "eq7",
        "Section 3.3, Eq 7",
        "With additive noise this is the discretised equation tau dh/dt = R_h(s + eta) - h.",
        "Without noise it is, to first order in the step; noise that is drawn anew at each step averages out as steps "
        "shrink, and leaves R with rates that it smooths.",
        ("eq7.order", "eq7.smoothed"),
        "s~_t = s_t + eta_t",
    ),
    Statement(
        "sec3.3.exponential",
        "Section 3.3, paragraph after Eq 7",
        "It brings h exponentially fast to its target R_h(s), along with a random walk by the noise.",
        "Without noise, and between the kinks, deviations shrink by 1 - step (1 - lambda) in each step, lambda an "
        "eigenvalue of the weights: by 1 - step only if the target stays.",
        ("sec3.3.eigenvectors",),
    ),
    Statement(
        "eq8",
        "Section 3.3, Eq 8 (condition 2)",
        "With leaky integration condition 1 becomes a similar one on the target R.",
        "It does, and the factor is the slope of the postsynaptic rate, again no constant.",
        ("eq8.coefficient",),
        "dR_i(s~) / dW_ij ~ rho(s~_j)",
    ),
    Statement(
        "eq9",
        "Section 3.4, Eq 9",
        "In continuous time the objective is half the squared speed.",
        "Without noise J of Eq 3 over the squared step tends to that, with a difference of the order of the step.",
        ("eq9.order",),
        "J = |ds/dt|^2 / 2",
    ),
    Statement(
        "eq10",
        "Section 3.4, Eq 10",
        "The speed of a unit under the energy is the slope of its rate times the weighted input rates, less its state.",
        "The bias is missing: with rho'(s_i) b_i added it is minus the gradient of the energy.",
        ("eq10.bias",),
        "ds_i/dt ~ rho'(s_i) sum_j W_ij rho(s_j) - s_i",
    ),
    Statement(
        "eq11",
        "Section 3.4, Eq 11",
        "The gradient of Eq 9 by a weight leads to an update proportional to Eq 1.",
        "The factor is 1 and not 2, and descent is the opposite of Eq 1, which raises the speed.",
        ("eq11.factor", "eq11.sign"),
        "dJ/dW_ij = 2 ds_i/dt rho(s_j) rho'(s_i)",
    ),
    Statement(
        "eq12",
        "Section 4, Eq 12",
        "If a state sums up the past, predicting the next observation from it maximises the likelihood of the "
        "sequence.",
        "The chain rule of probability says so; on clamped sequences hidden units are such a state: the delta rule of "
        "J_x then predicts the next frame better (errors of 0.20 and 0.75) than one frame allows.",
        ("eq12.bars", "eq12.digits"),
        "P(x_1 ... x_T) = prod_t P(x_t | s_(t-1))",
    ),
    Statement(
        "sec4.1.inference",
        "Section 4.1, paragraph 1",
        "Hidden units move towards configurations that are more probable given the input, approximately, and in the "
        "end sample them.",
        "They move to one spot and stay there: with two units 0.99 of its probability lies elsewhere than that of "
        "exp(-E), which Langevin noise does sample.",
        ("sec4.1.density",),
    ),
    Statement(
        "sec4.1.noise",
        "Section 4.1, paragraph 1",
        "Noise is important to explore the whole distribution and not find a single local mode alone.",
        "Of two modes a network finds the other with Langevin noise in half of the runs, without noise in none; noise "
        "inside R as in Eq 7 is too weak for it.",
        ("sec4.1.modes",),
    ),
    Statement(
        "eq13",
        "Section 4.1, Eq 13",
        "If R is a linear combination of the input rates, R(s) - s is proportional to the slope of log P(s), with P = "
        "exp(-E).",
        "Where rates are linear it is; for a sigmoid a linear combination has no energy, as its derivative is "
        "asymmetric by 0.2, unless the slope of the rate is a factor in it, as in Eq 17.",
        ("eq13.linear",),
        "R(s) - s ~ -dE/ds",
    ),
    Statement(
        "eq14",
        "Section 4.1, Eq 14",
        "The noisy update seems to be a Langevin chain of exp(-E).",
        "The noise enters through R alone, so that each linear mode has a temperature of its own, near step noise^2 "
        "m^2 / 2, and next to nothing of the noise adds up.",
        ("eq14.variance", "eq14.long_run"),
        "s_(t+1) = s_t + step (-dE(s~_t)/ds~_t + eta_t)",
    ),
    Statement(
        "eq15",
        "Section 4.1, Eq 15",
        "Seen from the noisy states it descends the gradient with the noise eta_(t+1) - (1 - step) eta_t.",
        "It does, to rounding.",
        ("eq15.algebra",),
        "s~_(t+1) = s~_t - step dE(s~_t)/ds~_t + eta_(t+1) - (1 - step) eta_t",
    ),
    Statement(
        "eq16",
        "Section 4.2, Eq 16",
        "The derivative of this energy gives a neural computation R, as in Eq 13.",
        "Its derivative is s - R(s), with R the weighted input times the slope of the rate, for tied weights; with "
        "untied ones R has no energy.",
        ("eq16.gradient", "eq16.tied"),
        "E(s) = sum_i s_i^2 / 2 - sum_(i<j) W_ij rho(s_i) rho(s_j) - sum_i b_i rho(s_i)",
    ),
    Statement(
        "eq17",
        "Section 4.2, Eq 17",
        "The energy gives this update.",
        "The leak is subtracted twice: as printed the network comes to rest at R(s)/2, with one leak at R(s).",
        ("eq17.half", "eq17.corrected"),
        "s_(t+1,i) = (1-step) s_(t,i) + step (rho'(s~)(b_i + sum_j W_ij rho(s~_j)) - s~_(t,i))",
    ),
    Statement(
        "eq18",
        "Section 4.2, Eq 18",
        "With rates that are linear by part the slope is 1 in the active region and 0 in saturation.",
        "It is; but where the weights have an eigenvalue above 1, descents of the energy end with units at the "
        "thresholds, where it is neither.",
        ("eq18.kinks",),
        "rho(v) = clip(v - beta_1, 0, 1)",
    ),
    Statement(
        "sec4.2.saturation",
        "Section 4.2, last paragraph",
        "A saturated neuron ignores its input and decays exponentially towards 0, and so comes back into the active "
        "region.",
        "It does, after the number of steps that its start alone says.",
        ("sec4.2.steps",),
    ),
    Statement(
        "sec4.2.conditions",
        "Section 4.2, last sentence",
        "The energy of Eq 16 satisfies condition 2, and thus condition 1.",
        "It does at every state, where other energies do not, but in saturation with 0 as the factor.",
        ("sec4.2.satisfied",),
    ),
    Statement(
        "fig3",
        "Figure 3",
        "An example of Eq 2: the weight can change at presynaptic spikes alone, by the change of the postsynaptic "
        "activity.",
        "It does; from one spike train to the next the weight scatters as independent binomial spikes make it.",
        ("fig3.spread",),
    ),
    Statement(
        "sec5.1.speed",
        "Section 5.1, last paragraph",
        "The mean squared speed is measured with and without weight changes by Eq 1; no result is given.",
        "Where the network moves its units, they move more while they learn; on a travelling wave tied weights do so "
        "only if the presynaptic rate is read midway through the step.",
        ("sec5.1.rises", "sec5.1.wave"),
    ),
    Statement(
        "fig1.middle",
        "Section 5.2, Figure 1 middle; section 1, paragraph 4",
        "When weights change by Eq 1, simulated spikes show the relationship between timing and weight change that "
        "was observed in biology.",
        "Signs are those of STDP and, where spikes are frequent, so is the decay with the lag; where they are sparse "
        "the change grows with the lag, and both sides are equal, which those of Bi & Poo are not.",
        ("fig1.sign", "fig1.biology_mean", "fig1.sparse", "fig1.antisymmetry"),
    ),
    Statement(
        "fig1.right",
        "Section 5.2, Figure 1 right",
        "So do the changes under the nearest-neighbour rule.",
        "Summed over pairs of spikes they do, on either side by itself, for a lag kernel that decays; the kernel is a "
        "choice of the model.",
        ("fig1.nearest_neighbour",),
    ),
    Statement(
        "fig2.right",
        "Section 5.2, Figure 2 right",
        "The two rules are strongly correlated, in the sense that for a given change by the one the other changes "
        "linearly proportionally on average.",
        "Averages over bins correlate at 0.99, and at 0.97 or more up to 0.3 spikes per bin; but they are "
        "proportional only roughly, as a third of the gain is lost in the outer bins.",
        ("fig2.binned", "fig2.gain", "fig2.conditions"),
    ),
    Statement(
        "eq19",
        "Section 6, Eq 19",
        "The objective is the sum of a part of the hidden units, whose target is their next state, and a part of the "
        "clamped ones, whose target is x.",
        "It is, with x_t predicted freely: without noise it is half the squared step of the energy's gradient "
        "descent, of hidden units at h_t and of clamped ones at h_(t-1).",
        ("eq19.parts",),
        "J = |h_(t+1) - f_h(s_(t-1), eta_(t-1))|^2 / 2 + |x - f_x(s_(t-1), eta_(t-1))|^2 / 2",
    ),
    Statement(
        "eq20",
        "Section 6.1, Eq 20",
        "With R(s) the target that lowers the energy, the next state is a step down the energy's gradient plus noise.",
        "It is; where noise takes units over the kinks this noise has a mean, up to a tenth of the step at noise 0.3.",
        ("eq20.drift",),
        "f(s_(t-1), eta_(t-1)) = s_(t-1) - step dE(s_(t-1))/ds_(t-1) + noise",
    ),
    Statement(
        "eq21",
        "Section 6.1, Eq 21",
        "Without the noise the objective can be written with the energy's gradient.",
        "It can; a step down it lowers that gradient, by a fifth here, for units whose target stays, the clamped ones.",
        ("eq21.descends",),
        "J ~ |s_(t+1) - s_(t-1) + step dE(s_(t-1))/ds_(t-1)|^2 / 2",
    ),
    Statement(
        "eq22",
        "Section 6.1, Eq 22",
        "For clamped units it is the squared gradient by x; only the effect of the noise is left out.",
        "It is; what the noise adds, between the kinks, is step^2 noise^2 |W_x|^2 / 2, a weight decay, and nothing "
        "else.",
        ("eq22.weight_decay",),
        "J_x ~ step^2 |dE(x, h_(t-1))/dx|^2 / 2",
    ),
    Statement(
        "eq23",
        "Section 6.1, Eq 23",
        "That is one term of the score-matching criterion, which adds the sum of second derivatives.",
        "They are subtracted: so the criterion is the distance of scores that it stands for, up to a constant; with "
        "the printed sign a bias of 1.5 is fitted as -1.27.",
        ("eq23.sign",),
        "J_SM = |dE(x)/dx|^2 / 2 + sum_i d^2E(x)/dx_i^2",
    ),
    Statement(
        "eq24",
        "Section 6.1, Eq 24 (condition 3)",
        "For the energy of Eq 16 the second derivatives by x do not depend on the parameters, and may be ignored.",
        "Away from the kinks they do not; the kinks carry all of the dependence, and fits without it keep at most 15 "
        "% of a parameter.",
        ("eq24.dropped", "eq24.mass", "eq24.almost_everywhere"),
        "d^3E(x, h) / (dx_i^2 dtheta) = 0",
    ),
    Statement(
        "sec6.1.minimiser",
        "Section 6.1, last paragraph",
        "Given h, minimising J_x is equivalent to minimising the score-matching criterion on x.",
        "It is for data that keep away from the kinks; where 62 % of them lie outside the active region, J_x fits a "
        "bias of 0.15 as 0.012.",
        ("sec6.1.cold",),
    ),
    Statement(
        "sec6.2.two_steps",
        "Section 6.2, paragraph 2",
        "J_h asks one step to do the work of two, so that the next update reaches a local minimum of the energy.",
        "Its value is the squared gradient at h_t, which a step down its own gradient lowers; with the target held "
        "fixed, as in Eq 1, a step raises the gradient of every network, by 17 % here.",
        ("sec6.2.index", "sec6.2.ascends"),
    ),
    Statement(
        "sec6.2.faster",
        "Section 6.2, paragraph 2",
        "So the criterion tries to make the Markov chain converge faster.",
        "Descent on it makes the slowest mode slower, by a tenth and more, and the time to rest longer; Eq 1 makes "
        "units move faster, but does not settle where rates are high.",
        ("sec6.2.relaxation", "sec6.2.simulated", "sec6.2.kinks", "sec6.2.speed", "sec6.2.transient"),
    ),
    Statement(
        "sec6.2.near",
        "Section 6.2, paragraph 3",
        "Near a fixed point, where h_(t+1) is close to h_(t-1), J_h becomes similar to score matching with the "
        "inferred h as data.",
        "In value it does for small steps (97 % at step 0.02, 71 % at 0.2), though h_(t+1) - h_(t-1) stays two steps "
        "of the gradient however near.",
        ("sec6.2.late", "sec6.2.ratio"),
        "J_h ~ step^2 |dE(x, h_(t-1))/dh_(t-1)|^2 / 2",
    ),
    Statement(
        "sec6.3.consistent",
        "Section 6.3, paragraphs 1 and 2",
        "Score matching is consistent without latent variables, and filling these in by MCMC, as in EM, extends it to "
        "them.",
        "With the second derivative kept it is at rest at the truth and learns towards it; without it, as in Eq 24, it "
        "does neither.",
        ("sec6.3.learns", "sec6.3.stationary", "sec6.3.path"),
    ),
    Statement(
        "sec6.3.impatient",
        "Section 6.3, paragraph 3",
        "As inference gets long beside its burn-in, updates after each of its steps become in average those after it "
        "has converged.",
        "They do: the bias falls as 1/T, and learning ends where the patient one does.",
        ("sec6.3.bias", "sec6.3.impatient"),
    ),
    Statement(
        "sec6.3.faster",
        "Section 6.3, paragraph 3",
        "Such updates should also make inference converge faster.",
        "That depends on where they begin: while digits are learned, inference becomes slower by 8 % from weak "
        "weights, and faster by 14 % from strong ones, with which it is slow at first.",
        ("sec6.3.task", "sec6.3.strong"),
    ),
    Statement(
        "sec6.3.hidden",
        "Section 9, last paragraph; section 6.3, paragraphs 1 and 2",
        "With x clamped and h inferred, it is conjectured that minimising the objective moves the parameters towards "
        "a model that is more consistent with both, which is what the variational bound on the likelihood of x "
        "requires.",
        "On scikit-learn's digits the delta rule of the clamped rows does, and learns probabilistic PCA, no more; Eq "
        "1 on hidden rows has mean 0 under the model, and from other starts makes the weights grow until units "
        "saturate.",
        ("sec6.3.blow_up", "sec6.3.fills_in", "sec6.3.law", "sec6.3.rows"),
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
        "sec8.equilibrium",
        "Section 8, paragraph 1",
        "Near a fixed point the gradient of the energy and the updates of weights are 0 on average.",
        "At rest they are; while a drive moves a network about its fixed point, the mean update of untied weights is "
        "not 0 but opposite for the two directions of a pair, so that shared weights keep none.",
        ("sec8.rest", "sec8.driven"),
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
        "That one step of inference amounts to back-propagation suggests that the framework can work well with very "
        "inexpensive inference, without many iterations to get useful updates.",
        "With one hidden layer a few steps do, as far as the claims are met that set it against readouts without "
        "credit assignment on MNIST; with two, one pull falls far behind back-propagation.",
        ("sec8.hidden_layer", "sec8.behind", "sec8.two_layers"),
    ),
    Statement(
        "sec9.reinforce",
        "Section 9, paragraph 3",
        "The variance of REINFORCE, which correlates the noise of each neuron with changes of a global objective, "
        "grows linearly with the number of neurons.",
        "Relative to the squared gradient it does with the mean of the objective as baseline, with an exponent of "
        "0.99; with the change of the objective by the noise it is 1.26 at the noise of the study, and without a "
        "baseline 1.98.",
        ("sec9.linear",),
    ),
    Statement(
        "sec9.experiment",
        "Section 9, paragraph 4",
        "It would be interesting to test in experiments the prediction that weights do not change while the "
        "postsynaptic rate is constant.",
        "With 129 cells in each arm, which differ by 25 %, a test tells a rising rate from a falling one under the "
        "paper's rule and finds nothing at a constant rate, where it does under most published rules, but hardly "
        "under triplets of visual cortex.",
        ("sec9.false_alarms", "sec9.cells"),
    ),
    Statement(
        "sec9.downhill",
        "Section 9, last paragraph; section 4.1, paragraph 1",
        "If neural computation is approximately inference, each of its steps leads on average to an equally or more "
        "likely configuration.",
        "At kinks every other step raises the energy, by the order of the step; between them, without noise, no step "
        "does that is shorter than 2 / lambda_max(H); with noise the mean falls from above equilibrium alone.",
        ("sec9.kinks", "sec9.kink_size", "sec9.interior", "sec9.noise"),
    ),
)
