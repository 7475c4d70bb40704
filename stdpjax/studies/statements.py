"""What the paper says, in its order, and what was found: one row for each equation and each claim in words."""

from stdpjax.lab.statement import Statement

STATEMENTS: tuple[Statement, ...] = (
    Statement(
        "sec1.xie_seung",
        "Section 1, paragraph 2",
        "Xie and Seung, who assume a certain pattern of timing and change, found that STDP, averaged over random "
        "spikes, can be approximated by the presynaptic rate times the speed of the postsynaptic rate, with either "
        "sign.",
        "It can where the window is balanced; else a term in the postsynaptic rate itself is added, and together they "
        "give the change by pairs under slow inputs to 5 %.",
        ("xie2000.two_moments",),
    ),
    Statement(
        "sec1.predict",
        "Section 1, last paragraph",
        "By Eq 1 neurons together would try to get better at predicting their own future state.",
        "A next state that comes from outside they then predict better; but after one small change of the weights "
        "along Eq 1 the network predicts its own next state with a larger squared error than without it, by as much "
        "as the error would fall if that state stayed what it was.",
        ("sec1.predict",),
    ),
    Statement(
        "eq1",
        "Section 2.1, Eq 1",
        "On average a weight changes in proportion to the rate of its presynaptic neuron times the speed with which "
        "the activity of its postsynaptic neuron changes.",
        "A definition, in which time steps leave open when the presynaptic rate is read: between the thresholds, and "
        "with the updates of both directions of a pair added, reading it midway through a step gives the change of "
        "rho(s_i) rho(s_j); reading it one step early (as in Eq 5), before or after the step adds about -3, -1 or +1 "
        "times the product of the two changes, which vanishes with the step.",
        ("eq1.order", "eq1.drift"),
        "Delta W_ij ~ ds_i/dt rho(s_j)",
    ),
    Statement(
        "sec2.1.activity",
        "Section 2.1, paragraph 2; section 9",
        "As in Hinton (2007), the change of the activity is used and not that of the firing rate as by Xie and Seung, "
        "because the rule then descends a clear objective; this is called a small difference.",
        "The two correlate at 0.95 where units are saturated a tenth of the time and at 0.78 where they are 40 % of "
        "it. Between the thresholds, where they are one, the rule does descend it; but where sigmoid units saturate, "
        "descent of the objective agrees better with the change of the rate (cosine greater by 0.18), as it has the "
        "factor rho'(s_i), which Eq 5 leaves out.",
        ("sec2.1.objective", "sec2.1.active"),
    ),
    Statement(
        "eq2",
        "Section 2.1, Eq 2; Figure 3, an example",
        "A presynaptic spike may stand in the place of the presynaptic rate, with the same average, if input spikes "
        "are Poisson and synchrony is ignored.",
        "It may where spikes do not move the postsynaptic neuron; a spike of probability p that does adds step "
        "rho'(s_i) W_ij p (1-p) to the mean if it is paired with the change that it causes, and takes a tenth of that "
        "away if it is paired with the next one (at step 0.1); the activity that Figure 3 calls s_j is s_i.",
        ("eq2.mean", "eq2.same_step"),
        "Delta W_ij ~ ds_i/dt xi_j",
    ),
    Statement(
        "sec2.2.after",
        "Section 2.2, paragraph 1, Figure 2 left",
        "While postsynaptic activity rises, a Poisson neuron is more likely to spike in a window after a presynaptic "
        "spike than in one of the same length before it.",
        "It is, in windows of every length if the rate rises through all of both; where it rises at the presynaptic "
        "spike alone, spikes before can be the likelier ones.",
        ("sec2.2.after",),
    ),
    Statement(
        "sec2.2.one_spike",
        "Section 2.2, paragraph 1",
        "If activity rises and only one spike falls into the window around a presynaptic one, it is likelier to come "
        "after it, at the same time as the weight increases.",
        "It is, wherever the rate rises through the whole window: with a probability of 0.68 or more on random rising "
        "rates.",
        ("sec2.2.one_spike",),
    ),
    Statement(
        "sec2.2.falling",
        "Section 2.2, paragraphs 1 and 2",
        "While postsynaptic activity falls, a spike before the presynaptic one is the more likely, and weights "
        "decrease on average.",
        "They do if the change at a lag is minus that at the opposite lag; under the curve that was fitted to the "
        "data of Figure 1 left they still increase where activity falls slowly.",
        ("sec2.2.falling", "sec2.2.fitted"),
    ),
    Statement(
        "sec2.2.slope",
        "Section 2.2, paragraph 2",
        "The faster postsynaptic activity rises or falls, the larger the mean weight change.",
        "At a given rate it grows with the rise of the rate, in proportion where spikes are rare (to 1 %) and faster "
        "where they are frequent (1.9 times as much at 0.2 spikes per time step, if the rate almost doubles); but the "
        "rate counts too: a rise at 0.2 changes the weight by a 27th of what a less steep one does at 0.02.",
        ("sec2.2.gain", "sec2.2.faster", "sec2.2.steep"),
    ),
    Statement(
        "sec2.2.timing",
        "Section 2.2, paragraph 2, and the caption of Figure 2",
        "A faster rise also brings the postsynaptic spike closer to the presynaptic one, provided that spikes on both "
        "sides change nothing.",
        "A spike soon after becomes likelier; but the mean lag of the pairs that strengthen a weight becomes shorter "
        "only where spikes are frequent: from a steady rate to one that rises by nine tenths within 20 time steps it "
        "falls by 0.5 steps at a spike probability of 0.2 per step, and grows by 0.7 steps at 0.02.",
        ("sec2.2.conditional_lag", "sec2.2.soon"),
    ),
    Statement(
        "sec2.2.cancellation",
        "Section 2.2, paragraph 2",
        "That steeper slopes change weights more and bring spikes closer assumes that spikes on both sides of the "
        "presynaptic one cancel in their effects.",
        "The closer spikes need it: if the nearest spike on either side counts instead, a steeper rise brings none "
        "closer; so does the size at short lags (at a spike probability of 0.05 the change by Eq 1 at lag 1 is 0.43 "
        "of that at lag 10, and 0.12 without it). That the mean change grows in proportion to the slope does not.",
        ("sec2.2.longer", "sec2.2.cancellation", "sec2.2.growth"),
    ),
    Statement(
        "eq3",
        "Section 3.1, Eq 3",
        "With this objective in each step, the weight changes of Eq 1 are stochastic gradient descent on it.",
        "Between the thresholds they are, if the next state comes from outside, or is held fixed as Eq 5 does it "
        "(cosine with the descent 0.9998); but the network's own next state depends on the same weights, and with "
        "that counted they climb the objective (cosine -0.9998 at step 0.02).",
        ("eq3.free", "eq3.stop"),
        "J = |f(s_(t-1), eta_(t-1)) - s_(t+1)|^2 / 2",
    ),
    Statement(
        "eq4",
        "Section 3.2, Eq 4 (condition 1)",
        "The condition for Eq 5: the derivative of a unit's next state by a weight is proportional to the rate of its "
        "presynaptic neuron.",
        "In the network of Eq 6 and 16 it is, but the rate is that of the noisy state, and the factor, the step times "
        "rho'(s~_i), is no constant.",
        ("eq4.factor",),
        "df_i(s_(t-1), eta_(t-1)) / dW_ij ~ rho(s_(t-1,j))",
    ),
    Statement(
        "eq5",
        "Section 3.2, Eq 5",
        "Under condition 1 the gradient of the objective by a weight is proportional to minus the change of the "
        "postsynaptic state, times the presynaptic rate one step earlier; descent is then Eq 1.",
        "With the next state held fixed it is, but for the factor rho'(s_i), which is 0 in saturation, where Eq 1 "
        "still changes weights.",
        ("eq5.formula", "eq5.saturation"),
        "dJ/dW_ij ~ (s_(t,i) - s_(t+1,i)) rho(s_(t-1,j))",
    ),
    Statement(
        "sec3.2.constant",
        "Section 3.2, last paragraph; section 9, paragraph 4",
        "As long as a neuron's firing rate is steady, however high, its weights stay the same on average: it is not "
        "enough that two neurons fire together.",
        "Under Eq 1 this holds while the activity is steady, but not in saturation, where the rate is steady and the "
        "activity moves; under the nearest-neighbour rule of section 5 it holds if the change at a lag is minus that "
        "at the opposite lag and presynaptic spikes do not themselves cause postsynaptic ones.",
        ("sec3.2.antisymmetric", "sec3.2.saturated", "sec3.2.causal"),
    ),
    Statement(
        "eq6",
        "Section 3.3, Eq 6",
        "Units that are not clamped integrate their input with a leak: they go a step towards what the network asks "
        "of them.",
        "They do, with their own state h_t as the leak, and come to rest at R_h(s): the printed s_t is the state of "
        "all units, clamped ones included, and a slip, as the differential equation after it shows.",
        ("eq6.leak",),
        "h_(t+1) = h_t + step (R_h(s~_t) - s_t)",
    ),
    Statement(
        "eq7",
        "Section 3.3, Eq 7",
        "With additive noise this is the discretised equation tau dh/dt = R_h(s + eta) - h.",
        "Without noise it is, to first order in the step; noise drawn anew at each step averages out as steps shrink, "
        "and what remains is the equation with R averaged over the noise.",
        ("eq7.order", "eq7.smoothed"),
        "s~_t = s_t + eta_t",
    ),
    Statement(
        "sec3.3.exponential",
        "Section 3.3, paragraph after Eq 7",
        "Units that are not clamped approach R_h(s) exponentially, while noise adds a random walk.",
        "Without noise, and with all units between the thresholds of Eq 18, what separates them from the fixed point "
        "shrinks along each eigenvector of the weights by the factor 1 - step (1 - lambda) a step, lambda its "
        "eigenvalue, which is 1 - step only if the target stays; with noise their spread does not grow with time.",
        ("sec3.3.eigenvectors", "sec3.3.bounded"),
    ),
    Statement(
        "eq8",
        "Section 3.3, Eq 8 (condition 2)",
        "With leaky integration condition 1 becomes one on R: the derivative of R_i by a weight is proportional to "
        "the presynaptic rate.",
        "It does, and the factor is rho'(s~_i), again no constant.",
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
        "Under the energy the speed of a unit's state is its weighted input rates times rho', less the state.",
        "It is but for a slip, the missing bias: with rho'(s_i) b_i added it is minus the gradient of the energy.",
        ("eq10.bias",),
        "ds_i/dt ~ rho'(s_i) sum_j W_ij rho(s_j) - s_i",
    ),
    Statement(
        "eq11",
        "Section 3.4, Eq 9 and 11; section 3.1",
        "Eq 1 can be seen as the derivative of Eq 9 by a weight, and an update goes in proportion to it; by section "
        "3.1 it descends the objective.",
        "It is that derivative, but for rho'(s_i), with a factor 1 and not 2; so it climbs: descent is the opposite, "
        "as Eq 1 raises the speed.",
        ("eq11.factor", "eq11.sign"),
        "dJ/dW_ij = 2 ds_i/dt rho(s_j) rho'(s_i)",
    ),
    Statement(
        "eq12",
        "Section 4, Eq 12",
        "To predict each observation from a state that sums up all earlier ones is to maximise the likelihood of the "
        "sequence.",
        "It is, by the chain rule, if the state loses nothing of the past; squared error is a likelihood if errors "
        "are Gaussian with one variance. The network's hidden units keep some of the past, not all: the next frame is "
        "predicted with 0.20 (moving bars, of which two frames tell all) and 0.75 (digits seen column by column; 0.79 "
        "from two frames) of the squared error of the best linear guess from the present frame.",
        ("eq12.bars", "eq12.digits"),
        "P(x_1 ... x_T) = prod_t P(x_t | x_(t-1), ..., x_1) = prod_t P(x_t | s_(t-1))",
    ),
    Statement(
        "sec4.1.inference",
        "Section 4.1, paragraph 1",
        "The hypothesis: with weights fixed, hidden units move, roughly, to states that are more probable given the "
        "input, and in the end visit each as often as it is probable.",
        "In networks of two units, none clamped, Eq 6 moves to more probable states, in 99 % of runs from states drawn "
        "from exp(-E), but does not go on to sample: the variance is 0.0004 of that under exp(-E), which Langevin "
        "noise does reach, and no other temperature fits (sec4.1.langevin).",
        ("sec4.1.towards", "sec4.1.spread"),
    ),
    Statement(
        "sec4.1.noise",
        "Section 4.1, paragraph 1",
        "Without injected noise units would find one likely state only; noise lets them explore the rest of the "
        "distribution.",
        "Noise added to the state, as in Langevin sampling, does: half of the runs end in the other of two modes; "
        "noise inside R, as in Eq 7, moves none there within 40 time constants, whether of size 0.1, 0.3 or 0.6.",
        ("sec4.1.modes",),
    ),
    Statement(
        "eq13",
        "Section 4.1, Eq 13",
        "If R is a linear combination of the input rates, work on denoising auto-encoders makes R(s) - s proportional "
        "to the gradient of log P(s), with P ~ exp(-E).",
        "Where rates are linear in the states, and W_ij = W_ji, it is such a gradient; with a sigmoid it is the "
        "gradient of no energy, as its derivative by s is not symmetric, unless each unit's input is multiplied by "
        "its rho'(s_i), as in Eq 17.",
        ("eq13.linear",),
        "R(s) - s ~ d log P(s) / ds = -dE(s) / ds",
    ),
    Statement(
        "sec4.1.langevin",
        "Section 4.1, before Eq 14; section 6.3, paragraph 1",
        "Eq 6 with noise looks like a Langevin chain of exp(-E), and is later taken as one.",
        "Noise enters through R alone, so that states spread far less than under exp(-E); and between the thresholds "
        "no single temperature T makes it exp(-E / T), as along an eigenvector of the weights with eigenvalue m it is "
        "near step noise^2 m^2 / 2.",
        ("sec4.1.variance", "sec4.1.long_run"),
    ),
    Statement(
        "eq14",
        "Section 4.1, Eq 14",
        "With Eq 13, the noisy update is a step down the gradient at the noisy state, with the step times the noise "
        "added.",
        "It is, to rounding, with R as in Eq 17.",
        ("eq14.algebra",),
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
        "An energy is proposed whose gradient, as in Eq 13, gives an R of weighted input rates, meant to be roughly "
        "what real neurons compute.",
        "Its gradient is s - R(s), with R_i(s) = rho'(s_i) (b_i + sum_j W_ij rho(s_j)), W_ij and W_ji one.",
        ("eq16.gradient",),
        "E(s) = sum_i s_i^2 / 2 - sum_(i<j) W_ij rho(s_i) rho(s_j) - sum_i b_i rho(s_i)",
    ),
    Statement(
        "eq17",
        "Section 4.2, Eq 17",
        "The energy gives this update, of a leak, the weighted input times rho', and added noise.",
        "It subtracts the leak twice, and so rests at R(s) / 2, not R(s); the right one has no noise but that inside "
        "R.",
        ("eq17.half",),
        "s_(t+1,i) = (1 - step) s_(t,i) + step (rho'(s~_(t,i)) (b_i + sum_j W_ij rho(s~_(t,j))) - s~_(t,i)) = (1 - 2 "
        "step) s_(t,i) + step (rho'(s~_(t,i)) (b_i + sum_j W_ij rho(s~_(t,j))) - eta_(t,i))",
    ),
    Statement(
        "eq18",
        "Section 4.2, Eq 18",
        "If rates rise in a straight line between two thresholds and are constant outside, rho' is 1 between the "
        "thresholds (the active region) and 0 beyond (saturation).",
        "It is; at the thresholds themselves it jumps.",
        ("eq18.slope",),
        "rho(v) = 0 if v < beta_1, v - beta_1 if beta_1 <= v <= beta_2, 1 if v > beta_2, with beta_2 - beta_1 = 1 and "
        "beta_1 < 0 < beta_2",
    ),
    Statement(
        "sec4.2.saturation",
        "Section 4.2, last paragraph",
        "A unit beyond a threshold does not respond to its input; it decays to 0 exponentially and so becomes active "
        "again.",
        "Without noise it does, after a number of steps that depends on its own state and the step alone; with noise "
        "as in Eq 7 (standard deviation 0.05) input reaches units near a threshold, and a third return at other times.",
        ("sec4.2.steps",),
    ),
    Statement(
        "sec4.2.conditions",
        "Section 4.2, last sentence",
        "With the energy of Eq 16 condition 2 holds, and so does condition 1.",
        "They do at every state, with rho'(s~_i) as the factor, which is 0 in saturation; three other energies that "
        "were tried do not.",
        ("sec4.2.satisfied",),
    ),
    Statement(
        "sec4.2.pairs",
        "Section 4.2, Eq 16; section 3.2",
        "W_ij of Eq 16 is one weight for both directions of a pair; Eq 1 and Eq 5 are used for it as they are.",
        "The gradient by such a weight is the sum of Eq 5 for both directions, of which Eq 1 is one term (cosine 0.72 "
        "with the sum).",
        ("sec4.2.pairs",),
    ),
    Statement(
        "sec5.1.speed",
        "Section 5.1, last paragraph",
        "To see the effect of weight changes by Eq 1, said to descend an objective that in continuous time is half the "
        "squared speed, the mean squared speed is compared with and without them; no result is given.",
        "In the paper's simulation voltages are driven from outside, and weight changes have no effect on the speed; "
        "networks that drive their own units move faster while they learn by Eq 1, which raises the objective of Eq "
        "9, under four of five inputs, and on a travelling wave faster or, by up to a third, more slowly, as the rate "
        "of learning and the reading of the presynaptic rate have it.",
        ("sec5.1.rises", "sec5.1.wave"),
    ),
    Statement(
        "fig1.middle",
        "Section 5.2, Figure 1 middle; abstract; section 1, par. 3; section 2.2, last par.",
        "When weights change by Eq 1, simulated spikes show the precise relationship between timing and weight change "
        "that is observed in biology.",
        "The sign is that of the data at every lag up to 10 steps; whether the size falls with the lag depends on the "
        "voltage, which the paper leaves open: under a rough one the mean falls from the first lag on, as the data "
        "do, under smooth ones only in the outer half of the window if spikes are frequent, and grows over the inner "
        "half if they are rare; before and after mirror each other, which in the data they do not.",
        ("fig1.sign", "fig1.level", "fig1.rough", "fig1.antisymmetry"),
    ),
    Statement(
        "fig1.correlation",
        "Abstract; section 5.2, Figure 1 left and middle",
        "Observed STDP and that of simulations in which weights change by Eq 1 correlate strongly.",
        "Over lags the mean change by Eq 1 and the curve fitted to the data of Figure 1 left correlate at 0.97, and "
        "at 0.91 where spikes are rare; the bare sign of the lag alone correlates at 0.95.",
        ("fig1.correlation", "fig1.sparse_correlation"),
    ),
    Statement(
        "fig1.right",
        "Section 5.2, Figure 1 right",
        "Simulated changes under the nearest-neighbour rule match the biological ones as well.",
        "Summed over all pairs at a lag they decay as the data do, each side relative to its own size, if a pair "
        "changes the weight alike at every lag, as near spikes hide farther ones; how large the change is the paper "
        "does not say.",
        ("fig1.nearest_neighbour",),
    ),
    Statement(
        "fig2.right",
        "Section 5.2, Figure 2 right",
        "Averaged over all moments at which Eq 1 gives the same change, the nearest-neighbour rule gives a change in "
        "proportion; the two agree closely.",
        "Averages over moments with the same change by Eq 1 correlate at 0.99, and at 0.97 or more up to a spike "
        "probability of 0.3 per time step; single moments correlate at 0.93, and the averages are only roughly in "
        "proportion: for large changes the nearest-neighbour rule gives a third less for each unit of Eq 1 than for "
        "small ones.",
        ("fig2.binned", "fig2.steps", "fig2.gain", "fig2.conditions"),
    ),
    Statement(
        "eq19",
        "Section 6, Eq 19",
        "The objective is the sum of a part of the hidden units, whose target is their next state, and a part of the "
        "clamped ones, whose target is x.",
        "It is, with f_x the prediction of x, as in section 3.3, and not the clamped state, for which the second part "
        "would be 0.",
        ("eq19.parts",),
        "J = |h_(t+1) - f_h(s_(t-1), eta_(t-1))|^2 / 2 + |x - f_x(s_(t-1), eta_(t-1))|^2 / 2",
    ),
    Statement(
        "eq20",
        "Section 6.1, Eq 20",
        "With R(s) as the target that lowers the energy, the next state is the state plus a step down the energy's "
        "gradient plus noise.",
        "It is, at every state; the noise has mean 0 as long as noisy states stay between the thresholds, else a mean "
        "of up to a tenth of the step (noise of standard deviation 0.3, thresholds 1 apart).",
        ("eq20.step", "eq20.drift"),
        "f(s_(t-1), eta_(t-1)) = s_(t-1) - step dE(s_(t-1))/ds_(t-1) + noise",
    ),
    Statement(
        "eq21",
        "Section 6.1, Eq 21",
        "Without the noise the objective is half the squared length of the move over two steps plus a step of the "
        "energy's gradient.",
        "It is, at any step size; without noise the sign of approximation in it can be an equals sign.",
        ("eq21.gradient",),
        "J ~= |s_(t+1) - s_(t-1) + step dE(s_(t-1))/ds_(t-1)|^2 / 2",
    ),
    Statement(
        "eq22",
        "Section 6.1, Eq 22",
        "For clamped units it is the squared gradient by x; only the effect of the noise is left out.",
        "It is; noise adds step^2 / 2 times its variance times the sum of the squared weights into x (between the "
        "thresholds), which acts as weight decay.",
        ("eq22.weight_decay",),
        "J_x ~= step^2 |dE(x, h_(t-1))/dx|^2 / 2",
    ),
    Statement(
        "eq23",
        "Section 6.1, Eq 23",
        "J_x is one term of the score-matching criterion, whose other one is the sum of second derivatives.",
        "They must be subtracted: only so does the criterion differ by a constant from the squared distance between "
        "the scores of model and data; with the printed sign a unit's bias of 1.5 is fitted as -1.27.",
        ("eq23.sign",),
        "J_SM = |dE(x)/dx|^2 / 2 + sum_i d^2E(x)/dx_i^2",
    ),
    Statement(
        "eq24",
        "Section 6.1, Eq 24 (condition 3)",
        "For the energy of Eq 16 no parameter changes the diagonal second derivatives by x, so that their sum can be "
        "ignored.",
        "Away from the thresholds none does; at the thresholds they all do, and a fit that ignores it finds at most "
        "8 % of a parameter from data drawn from exp(-E), which pass the thresholds.",
        ("eq24.dropped", "eq24.mass", "eq24.almost_everywhere"),
        "d^3E(x, h) / (dx_i^2 dtheta) = 0",
    ),
    Statement(
        "sec6.1.minimiser",
        "Section 6.1, last paragraph",
        "With h held, the parameters that make J_x least also make score matching's criterion for x least.",
        "They do for data that keep away from the thresholds; for two units, x and h, drawn from exp(-E) itself, J_x "
        "is least at a weight of 0.016 and a bias of 0.004, and not where the data were made, at 0.2 and 0.05.",
        ("sec6.1.cold",),
    ),
    Statement(
        "sec6.2.two_steps",
        "Section 6.2, paragraph 2",
        "J_h compares the score at h_(t-1) with the sum of that score and the one at h_t, and so asks for parameters "
        "with which the next update reaches a local minimum of the energy; one step is to do the work of two.",
        "So it does: without noise J_h is step^2 / 2 times the squared gradient at h_t, which is 0 at a minimum; but "
        "an update that holds the target fixed, as Eq 1 does, makes that gradient larger in each of 64 random "
        "networks.",
        ("sec6.2.index", "sec6.2.ascends"),
        "(h_t - h_(t-1)) / step = -dE(x, h_(t-1))/dh_(t-1), (h_(t+1) - h_(t-1)) / step = -dE(x, h_t)/dh_t - dE(x, "
        "h_(t-1))/dh_(t-1)",
    ),
    Statement(
        "sec6.2.faster",
        "Section 6.2, paragraph 2; section 9, last sentence",
        "Both views suggest that with J_h the chain is sooner at its stationary distribution.",
        "After descent on J_h noisy chains (noise 0.3) forget their start 8 % sooner where rates are in the middle, "
        "and 14 % later where they are high or 18 % where they are low; without noise it takes 5 % longer on average.",
        ("sec6.2.chain", "sec6.2.rates", "sec6.2.simulated"),
    ),
    Statement(
        "sec6.2.near",
        "Section 6.2, paragraph 3",
        "Near a fixed point, where h_(t+1) is close to h_(t-1), J_h becomes similar to score matching with the "
        "inferred h as data.",
        "Without noise it comes to (1 - step lambda)^2 times the printed value, lambda the least eigenvalue of the "
        "energy's second derivative (97 % of it at step 0.02, 71 % at 0.2); but the reason given fails, as "
        "h_(t+1) - h_(t-1) stays near two steps of the gradient. A distribution that noise spreads was not tested.",
        ("sec6.2.late", "sec6.2.ratio"),
        "J_h ~= step^2 |dE(x, h_(t-1))/dh_(t-1)|^2 / 2",
    ),
    Statement(
        "sec6.3.consistent",
        "Section 6.3, paragraphs 1 and 2",
        "Score matching is consistent without latent variables; with h drawn by MCMC and taken as data, as in EM, it "
        "extends to models that have them.",
        "It does, with sigmoid rates and h drawn by Langevin dynamics, if the second derivative is kept that Eq 24 "
        "drops: the mean updates then end at the model that made the data, and without it, as in J_x, move away from "
        "it.",
        ("sec6.3.learns", "sec6.3.stationary", "sec6.3.path"),
    ),
    Statement(
        "sec6.3.joint",
        "Section 6.3, paragraph 1",
        "J approximates score matching on x and h together, with h sampled along the path of inference.",
        "Without noise it is the first of the two terms of that objective: for data that keep away from the thresholds "
        "it is least at the parameters that made them; for two units drawn from exp(-E) it is least near 0, as J_x is.",
        ("sec6.3.joint",),
    ),
    Statement(
        "sec6.3.impatient",
        "Section 6.3, paragraph 3",
        "As inference becomes long beside its burn-in, updates after each of its steps become on average the same as "
        "updates after it has converged.",
        "They do: with weights held, the difference of the averages falls as one over the number of steps, and in the "
        "last 30 of 120 updates both models are equally far from the one that made the data, to a tenth of the "
        "distance at the start.",
        ("sec6.3.bias", "sec6.3.impatient"),
    ),
    Statement(
        "sec6.3.faster",
        "Section 6.3, paragraph 3",
        "Impatient updates may have an advantage: they should move the parameters so that inference converges faster.",
        "In small networks with x clamped it takes at most 1 % less time than after updates that wait, with noise and "
        "without; after eight times as many by Eq 1 noisy chains take 4 % less, but networks without noise do not come "
        "to rest with 74 % of the inputs (none if updates wait).",
        ("sec6.3.time", "sec6.3.chain", "sec6.3.more", "sec6.3.unsettled"),
    ),
    Statement(
        "eq25",
        "Section 7, Eq 25",
        "Where the network rests, or the energy has a minimum, the gradient is 0, so R(s) = s, and the update without "
        "noise leaves s where it is.",
        "At minima between the thresholds it does; in 25 of 40 random networks the minimum has units at thresholds, "
        "where the energy has no gradient and the update does not come to rest, and with biases of minus half of a "
        "unit's summed weights descents end so where the weights have an eigenvalue above 1, and seldom elsewhere.",
        ("eq25.interior", "eq25.kinks"),
        "dE/ds = 0 => R(s) = s => f(s, 0) = s",
    ),
    Statement(
        "eq26",
        "Section 7, Eq 26",
        "Each unit's state is then its input times rho'(s_i).",
        "It is where no unit is at a threshold; in general its average over time is b + W rho(s), cut off at the "
        "thresholds.",
        ("eq26.clip",),
        "s_i = rho'(s_i) (b_i + sum_j W_ij rho(s_j))",
    ),
    Statement(
        "sec7.saturated",
        "Section 7, paragraph 2",
        "No fixed point has a saturated unit, as that unit decays towards 0, out of saturation.",
        "None has: among all patterns of saturated and active units of 40 random networks there is no fixed "
        "point with a saturated unit.",
        ("sec7.saturated",),
        "s_(t+1,i) = (1 - step) s_(t,i)",
    ),
    Statement(
        "sec7.solution",
        "Section 7, paragraph 2",
        "So wherever the whole network rests without noise, each state is the bias plus the weighted rates of the "
        "others.",
        "It is, wherever the network does come to rest.",
        ("sec7.solution",),
        "s = b + W rho(s)",
    ),
    Statement(
        "sec7.approach",
        "Section 7, paragraph 2",
        "A real network is likely to come near a fixed point without ever being at it.",
        "Where there is one it does: between the thresholds the distance shrinks exponentially, and in the end by a "
        "factor a step that the largest eigenvalue of R' sets.",
        ("sec7.approach",),
    ),
    Statement(
        "sec7.determinant",
        "Section 7, paragraph 2",
        "Without noise there is a stable attractor exactly where weights are small, which means a determinant of R' "
        "below 1.",
        "Attractors exist for large weights too, with units at their thresholds; and read as a condition on a given "
        "fixed point it fails in both directions, as the eigenvalues of R' decide and not the determinant.",
        ("sec7.determinant", "sec7.spectral", "sec7.attractors"),
    ),
    Statement(
        "sec8.equilibrium",
        "Section 8, paragraph 1",
        "At a fixed point both the energy's gradient and the weight updates vanish on average.",
        "Without noise nothing moves; under the noise of Eq 7 the mean update is 0 if the presynaptic rate is read "
        "midway through a step, but of the order of step^2 noise^2 if it is read before the step (up to 1.8e-6 at "
        "step 0.1 and noise 0.06), or one step earlier as in Eq 5.",
        ("sec8.rest", "sec8.noise"),
    ),
    Statement(
        "eq27",
        "Section 8, paragraph 2, Eq 27",
        "When the input of a visible unit at equilibrium is replaced by X, the objective is at first its prediction "
        "error alone, the square of its first move.",
        "It is, but for the factor 1/2 of Eq 3; hidden units add nothing in the first step.",
        ("eq27.value",),
        "J = |R_x(s) - (x + Delta x)|^2 = |Delta x|^2 = step^2 |X - x|^2",
    ),
    Statement(
        "sec8.circles",
        "Section 8, end of paragraph 2",
        "At first only hidden units with connections to x are moved, in the next step those connected to these, and "
        "so on.",
        "So it is: layer k stays exactly where it is until step k + 1.",
        ("sec8.circles",),
    ),
    Statement(
        "sec8.first_move",
        "Section 8, paragraph 3, before Eq 28",
        "The first move of x is 2 step^2 times the gradient of J by x.",
        "It is step (X - x), down the gradient: -step / 2 times that of |X - x|^2, or -1 / (2 step) times that of J "
        "as in Eq 27; if J is differentiated by the moved x, R_x held, the sign is the printed one and the factor 1/2.",
        ("sec8.first_move",),
        "Delta x = 2 step^2 dJ/dx",
    ),
    Statement(
        "eq28",
        "Section 8, paragraph 3, Eq 28",
        "But for terms of higher order the first hidden layer moves by 2 step^3 times the derivative of R_h1 by x "
        "times the gradient of J by x.",
        "It moves by -step^2 / 2 times that for |X - x|^2 in the place of J, or by -1/2 times that for J of Eq 27, or "
        "by +step / 2 if J is differentiated by the moved x: power and number are others however it is read.",
        ("eq28.prefactor",),
        "Delta h_1 = 2 step^3 dR_h1/dx dJ/dx + o(Delta x)",
    ),
    Statement(
        "eq29",
        "Section 8, Eq 29",
        "The derivatives of R across layers are each other's transpose, as R is the derivative of a function.",
        "They are, as W_ij = W_ji in Eq 16; with two weights for a pair they are not.",
        ("eq29.transposed",),
        "dR_h1/dx = d^2L/(dx dh_1) = (d^2L/(dh_1 dx))^T = (dR_x/dh_1)^T, L(s) = |s|^2 / 2 - E(s)",
    ),
    Statement(
        "eq30",
        "Section 8, Eq 30",
        "So the first hidden layer moves along the gradient of the error that back-propagation gives, times 2 step^3, "
        "as at the fixed point the derivative of R_x by h_1 is that of x.",
        "The direction is that of back-propagation, from h_1 through R_x, but down the error, as the factor is "
        "-step^2 / 2; and the last two printed lines differ by step^2.",
        ("eq30.direction",),
        "Delta h_1 = 2 step^3 dJ/dh_1 + o(Delta x) = 2 step^3 d|X - x|^2/dh_1 + o(Delta x)",
    ),
    Statement(
        "eq31",
        "Section 8, Eq 31",
        "The layer after it moves in the next step along the gradient of the error that back-propagation gives, times "
        "2 step^4.",
        "It moves in the next step and along that gradient, taken through the chain of layers, but down the error and "
        "by -step^3 / 2 times it; layer k moves by -step^(k+1) / 2 times the gradient.",
        ("eq31.prefactor",),
        "Delta h_2 = 2 step^4 d|X - x|^2/dh_2 + o(Delta x)",
    ),
    Statement(
        "sec8.weights",
        "Section 8, paragraph after Eq 31",
        "The first change of the weights follows back-propagation, except for factors step^(k+2) at layer k, which "
        "make it much slower for remote layers.",
        "It does, but the two directions of a pair together change by step^(k+1) / 2 and not step^(k+2) times what "
        "gradient descent asks.",
        ("sec8.weights",),
    ),
    Statement(
        "sec8.time",
        "Section 8, paragraph after Eq 31",
        "With one learning rate for all layers it takes a time of the order of k time constants until the change of "
        "layer k is significant.",
        "It does: each hidden layer has moved by half of what back-propagation asks of it 0.86 time constants later "
        "than the layer before.",
        ("sec8.time",),
    ),
    Statement(
        "sec8.supervised",
        "Section 8, paragraph on inputs and outputs",
        "When inputs are clamped, the network has settled, and then outputs are pulled to a target, this spreads into "
        "the hidden layers and induces changes towards a smaller error of the outputs.",
        "At first the weight changes by Eq 1 are those of back-propagation for the outputs' squared error.",
        ("sec8.supervised",),
        "|Delta y|^2 = step^2 |Y - y|^2",
    ),
    Statement(
        "sec8.differences",
        "Section 8, last paragraph",
        "Dynamics and weight updates are approximately those of back-propagation; there are differences, above all "
        "after more time steps.",
        "In stable networks the moves of the worst hidden layer keep a mean cosine of 0.97 with the gradient for 12 "
        "time constants, and the weight updates of the worst pair of layers, added up, one of 0.91; in the first of "
        "these, 1 - cosine of the moves grows about with the fourth power of time.",
        ("sec8.alignment", "sec8.updates", "sec8.turning"),
    ),
    Statement(
        "sec8.inexpensive",
        "Section 8, last paragraph",
        "Back-propagation amounts to a variational update after one step of inference, which suggests that the "
        "framework can work well with inexpensive inference, without many iterations for each useful update.",
        "With one hidden layer and 4,000 MNIST digits, once inputs have settled (16 steps), two steps after the "
        "outputs are pulled do as well as six and as back-propagation, to within 1 % of the images; a single one moves "
        "no hidden unit, and readouts of units that learn nothing are 3 % behind; with two, on scikit-learn's small "
        "digits, most networks whose inputs have had 20 steps to settle end more than 5 % behind back-propagation, and "
        "none does with 80.",
        ("sec8.hidden_layer", "sec8.steps", "sec8.behind", "sec8.two_layers"),
    ),
    Statement(
        "sec9.reinforce",
        "Section 9, paragraph 3",
        "The variance of REINFORCE's gradient estimate grows linearly with the number of neurons, so that it may not "
        "scale.",
        "Relative to the squared gradient it does (exponent 0.99) if changes of the objective are counted from its "
        "mean; counted from its value without the noise, which the paper's words also allow, it grows faster (exponent "
        "1.26 at the noise used here).",
        ("sec9.linear", "sec9.change"),
    ),
    Statement(
        "sec9.experiment",
        "Section 9, paragraph 4",
        "It would be interesting to test in experiments that weights do not change while the postsynaptic rate is "
        "constant.",
        "It can be tested: if cells scatter by 25 % of the weight, 129 of them for each course of the rate are enough "
        "to tell a rising rate from a falling one under the nearest-neighbour rule of section 5; at a constant rate "
        "most of five rules published by others, of pairs, triplets and suppression, predict a change that the test "
        "finds, but so does that rule itself with a measured window, whose sides differ.",
        ("sec9.cells", "sec9.others", "sec9.constant"),
    ),
    Statement(
        "sec9.downhill",
        "Section 9, last paragraph; section 4.1, paragraph 1",
        "If neurons approximately infer, each step takes h on average to a state that is as likely as before, given "
        "x, or likelier, and so points about down the energy.",
        "Without noise, and between the thresholds, it does for steps below 2 over the largest eigenvalue of the "
        "energy's second derivative; at thresholds, and with noise as in Eq 7, the mean energy falls only from above "
        "its final value, and rises from below.",
        ("sec9.interior", "sec9.thresholds", "sec9.noise"),
    ),
    Statement(
        "sec9.hidden",
        "Section 9, last paragraph; section 6.3, paragraphs 1 and 2; section 1, last paragraph",
        "It is conjectured that minimising the objective, with x clamped and h inferred, brings the model closer to "
        "the pairs (x, h) that occur, as it takes to raise the variational bound on the likelihood of x.",
        "Descent on the objective does if pixels keep away from the thresholds (with pixels that reach them it does "
        "not), as far as filling in missing halves of digit images shows it, where its error is 3 % above that of "
        "principal components; Eq 1 on the weights into h, that part of the descent with its sign turned, does not: "
        "its mean is 0 if h is drawn from the model, and with it halves end 30 times worse than the mean image.",
        ("sec9.descent", "sec9.blow_up", "sec9.rows"),
    ),
)
