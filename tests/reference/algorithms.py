# SPDX-License-Identifier: Apache-2.0
"""Writes plugins/algorithms/*/golden.json: losses and their gradients from the papers' formulas, in 40 digits.

  python3 tests/reference/algorithms.py            needs mpmath

A formula is a function of a batch and of `still`, the same batch that does not move when a derivative is taken: what a paper
holds constant (a stop-gradient, a running mean) is computed from it. Derivatives are central differences, which 40 digits make
exact to the last digit of fp64. Every case says which law may be asked of it: `monotone` where raising a preferred answer and
lowering another must never raise the loss.
"""
import json
import pathlib
import random

from mpmath import exp, expm1, log, log1p, mp, mpf

mp.dps = 40
PLUGINS = pathlib.Path(__file__).resolve().parents[2] / "plugins" / "algorithms"


def sigmoid(x):
    return 1 / (1 + exp(-x))


def ls(x):
    return -log1p(exp(-x))


def mean(values):
    values = list(values)
    return sum(values, mpf(0)) / len(values)


class Batch:
    """Numbers of a batch, cut by answer and by sample."""

    def __init__(self, data):
        self.__dict__.update(data)

    def by_answer(self, values):
        parts, first = [], 0
        for length in self.lengths:
            parts.append(values[first:first + length])
            first += length
        return parts

    def totals(self, values):
        return [sum(part, mpf(0)) for part in self.by_answer(values)]

    def means(self, values):
        return [sum(part, mpf(0)) / max(1, len(part)) for part in self.by_answer(values)]

    def ratios(self):
        return [a - b for a, b in zip(self.totals(self.logprob), self.totals(self.reference))]

    def samples(self):
        """The answers of each sample, best first."""
        found, first = [], 0
        for n in self.answers:
            found.append(list(range(first, first + n)))
            first += n
        return found

    def pairs(self):
        """Every two answers of a sample of which one is better; equal ratings tie where there are more than two."""
        found = []
        for answers in self.samples():
            rank = {}
            for place, a in enumerate(answers):
                tied = place > 0 and len(answers) > 2 and self.rating and self.rating[a] == self.rating[answers[place - 1]]
                rank[a] = rank[answers[place - 1]] if tied else place
            found += [(w, l) for l in answers for w in answers if rank[w] < rank[l]]
        return found


def logistic(h, eps=0):
    return -(1 - eps) * ls(h) - eps * ls(-h)


def nll(b, pairs, average):
    totals = b.totals(b.logprob)
    if average == "batch":
        tokens = sum(b.lengths[w] for w, _ in pairs)
        return [-sum(totals[w] for w, _ in pairs) / tokens] * len(pairs)
    return [-totals[w] / (b.lengths[w] if average == "answer" else 1) for w, _ in pairs]


def sft(b, still, o):
    eps = mpf(o.get("label_smoothing", 0))
    weight = list(b.weight)
    if o.get("weighting") == "dft":
        weight = [w * exp(lp) for w, lp in zip(weight, still.logprob)]
    return -sum(w * ((1 - eps) * lp + eps * u) for w, lp, u in zip(weight, b.logprob, b.uniform))


def dpo_values(b, o):
    """Summed log-likelihoods of policy and reference, length-desensitised."""
    alpha, profile = mpf(o.get("ld_alpha", 1)), o.get("profile", "paper")
    both = {"yes": True, "no": False}.get(o.get("ld_reference"), profile != "llamafactory")
    policy, reference = b.by_answer(b.logprob), b.by_answer(b.reference)
    if alpha < 1:
        for w, l in b.pairs():
            shared = min(b.lengths[w], b.lengths[l])
            for a in (w, l):
                cut = lambda part: part[:shared] + [alpha * x for x in part[shared:]]
                policy[a] = cut(policy[a])
                reference[a] = cut(reference[a]) if both else reference[a]
    return [sum(part, mpf(0)) for part in policy], [sum(part, mpf(0)) for part in reference]


def plackett_luce(b, o):
    beta, ratios, loss = mpf(o.get("beta", 0.1)), b.ratios(), mpf(0)
    for answers in b.samples():
        for place, a in enumerate(answers):
            loss -= beta * ratios[a] - log(sum(exp(beta * ratios[other]) for other in answers[place:]))
    return loss


def dpo(b, still, o):
    if o.get("loss") == "plackett_luce":
        return plackett_luce(b, o)
    beta, eps, tau = mpf(o.get("beta", 0.1)), mpf(o.get("label_smoothing", 0)), mpf(o.get("discopop_tau", 0.05))
    profile = o.get("profile", "paper")
    pi, ref = dpo_values(b, o)
    still_pi, _ = dpo_values(still, o)
    length = [max(1, n) for n in b.lengths]
    r = [x - y for x, y in zip(pi, ref)]
    a = mpf(o.get("divergence_alpha", 0.5))
    s = {"reverse_kl": lambda x: x, "forward_kl": lambda x: -exp(-x), "js": ls,
         "alpha": lambda x: -exp(-a * x) / a}[o.get("divergence", "reverse_kl")]
    per_token = {"sum": False, "token": True}.get(o.get("ipo_average"), profile != "paper")
    pairs = b.pairs()
    sort = sorted

    def of(name):
        h = [beta * (s(r[w]) - s(r[l])) for w, l in pairs]
        if o.get("offset_scale"):
            h = [x - mpf(o["offset_scale"]) * log(mpf(b.rating[w]) - mpf(b.rating[l])) for x, (w, l) in zip(h, pairs)]
        if name == "sigmoid":
            return [logistic(x, eps) for x in h]
        if name == "robust":
            return [(-(1 - eps) * ls(x) + eps * ls(-x)) / (1 - 2 * eps) for x in h]
        if name == "hinge":
            return [max(mpf(0), 1 - x) for x in h]
        if name == "ipo":
            cut = (lambda x, i: x / length[i]) if per_token else (lambda x, i: x)
            return [(cut(s(r[w]), w) - cut(s(r[l]), l) - 1 / (2 * beta)) ** 2 for w, l in pairs]
        if name == "exo":
            return [sigmoid(x) * log(sigmoid(x) / (1 - eps)) + sigmoid(-x) * log(sigmoid(-x) / eps) for x in h]
        if name == "nca":
            return [-ls(beta * r[w]) - ls(-beta * r[w]) / 2 - ls(-beta * r[l]) / 2 for w, l in pairs]
        if name == "bco_pair":
            return [-ls(beta * r[w]) - ls(-beta * r[l]) for w, l in pairs]
        if name == "sppo_hard":
            return [(r[w] - 1 / (2 * beta)) ** 2 + (r[l] + 1 / (2 * beta)) ** 2 for w, l in pairs]
        if name == "aot":
            u, v = sort(pi[w] - pi[l] for w, l in pairs), sort(ref[w] - ref[l] for w, l in pairs)
            return [logistic(beta * (x - y), eps) for x, y in zip(u, v)]
        if name == "aot_unpaired":
            u, v = sort(r[w] for w, _ in pairs), sort(r[l] for _, l in pairs)
            return [logistic(beta * (x - y), eps) for x, y in zip(u, v)]
        if name == "apo_zero":
            return [1 - sigmoid(beta * r[w]) + sigmoid(beta * r[l]) for w, l in pairs]
        if name == "apo_down":
            return [sigmoid(beta * r[w]) + 1 - sigmoid(beta * (r[w] - r[l])) for w, l in pairs]
        if name == "discopop":
            return [(1 - sigmoid(x / tau)) * -ls(x) + sigmoid(x / tau) * exp(-x) for x in h]
        if name == "sigmoid_norm":
            return [logistic(beta * (s(r[w]) / length[w] - s(r[l]) / length[l]), eps) for w, l in pairs]
        if name == "alpha_dpo":
            margin = [(still_pi[w] - ref[w]) / length[w] - (still_pi[l] - ref[l]) / length[l] for w, l in pairs]
            centre = mean(margin)
            spread = (sum((m - centre) ** 2 for m in margin) / (len(margin) - 1)) ** mpf(0.5)
            target = [mpf(o.get("gamma", 0.3)) + beta * mpf(o.get("alpha", 0.1)) * (m - centre) / spread for m in margin]
            return [logistic(beta * (pi[w] / length[w] - pi[l] / length[l]) - t, eps) for (w, l), t in zip(pairs, target)]
        raise KeyError(name)

    losses = of(o.get("loss", "sigmoid"))
    for name, weight in o.get("mix", {}).items():
        losses = [x + mpf(weight) * y for x, y in zip(losses, of(name))]
    if o.get("wpo"):
        likely = still.means([lp - c for lp, c in zip(still.logprob, b.collision)])
        losses = [x * exp(likely[w]) * exp(likely[l]) for x, (w, l) in zip(losses, pairs)]
    if o.get("nll_weight"):
        average = o.get("nll_average", "batch" if profile == "trl" else "answer")
        losses = [x + mpf(o["nll_weight"]) * y for x, y in zip(losses, nll(b, pairs, average))]
    return sum(losses)


def kto(b, still, o):
    beta, good, bad = (mpf(o.get(name, default)) for name, default in
                       (("beta", 0.1), ("desirable_weight", 1), ("undesirable_weight", 1)))
    anchored = o.get("loss", "kto") == "kto"
    z = max(mpf(0), mean(x - y for x, y in zip(b.mismatched, b.mismatched_reference))) if anchored else mpf(0)
    return sum(good * (1 - sigmoid(beta * (r - z))) if d else bad * (1 - sigmoid(beta * (z - r))) for r, d in zip(b.ratios(), b.desirable))


def bco(b, still, o):
    beta = mpf(o.get("beta", 0.1))
    seen = [beta * r for r in still.ratios()]
    delta = mean(seen)
    if o.get("shift") == "classes":
        delta = mean(mean(r for r, d in zip(seen, b.desirable) if d == kind) for kind in (0, 1))
    weight = b.ratio if o.get("density_ratio") else [1] * len(b.desirable)
    return sum(-ls(beta * r - delta) if d else -k * ls(delta - beta * r) for r, d, k in zip(b.ratios(), b.desirable, weight))


def orpo(b, still, o):
    pairs, a = b.pairs(), b.means(b.logprob)
    odds = [log(exp(x) / (1 - exp(x))) for x in a]
    likelihoods = nll(b, pairs, o.get("nll_average", "batch" if o.get("profile") == "trl" else "answer"))
    return sum(n - mpf(o.get("lambda", 0.1)) * ls(odds[w] - odds[l]) for n, (w, l) in zip(likelihoods, pairs))


def simpo(b, still, o):
    alpha, a = mpf(o.get("alpha", 0)), b.means(b.logprob)
    u = [(1 - exp(x) ** -alpha) / alpha for x in a] if alpha else a
    beta, gamma, eps = mpf(o.get("beta", 2)), mpf(o.get("gamma", 1)), mpf(o.get("label_smoothing", 0))
    weight = mpf(o.get("nll_weight", 1 if o.get("profile") == "trl" else 0))
    return sum(logistic(beta * (u[w] - u[l]) - gamma, eps) + weight * n for (w, l), n in zip(b.pairs(), nll(b, b.pairs(), "batch")))


def cpo(b, still, o):
    beta, eps, pairs = mpf(o.get("beta", 0.1)), mpf(o.get("label_smoothing", 0)), b.pairs()
    t, a = b.totals(b.logprob), b.means(b.logprob)
    preference = {"sigmoid": lambda w, l: logistic(beta * (t[w] - t[l]), eps), "hinge": lambda w, l: max(mpf(0), 1 - beta * (t[w] - t[l])),
                  "ipo": lambda w, l: (a[w] - a[l] - 1 / (2 * beta)) ** 2}[o.get("loss", "sigmoid")]
    likelihoods = nll(b, pairs, o.get("nll_average", "batch" if o.get("profile") == "trl" else "sum"))
    return sum(preference(w, l) + mpf(o.get("nll_weight", 1)) * n for (w, l), n in zip(pairs, likelihoods))


def tpo(b, still, o):
    beta, gamma = mpf(o.get("beta", 0.01)), mpf(o.get("gamma", 0.5))
    t, a, triples = b.totals(b.logprob), b.means(b.logprob), b.samples()
    normal = o.get("loss") == "length_normalised"
    likelihoods = nll(b, [(gold, None) for gold, _, _ in triples], o.get("nll_average", "batch" if o.get("profile") == "trl" else "sum"))
    return sum(-ls(beta * (a[w] - a[l]) - gamma if normal else beta * (t[w] - t[l])) + mpf(o.get("nll_weight", 1)) * n
               for (_, w, l), n in zip(triples, likelihoods))


def reward(b, still, o):
    r, margin, eps = [row[0] for row in b.value], mpf(o.get("margin", 0)), mpf(o.get("label_smoothing", 0))
    centring, decay = mpf(o.get("centring", 0)), mpf(o.get("regularization", "0.0005" if o.get("profile") == "align-anything" else 0))
    return sum(logistic(r[w] - r[l] - margin * (b.rating[w] - b.rating[l]), eps) + centring * (r[w] + r[l]) ** 2 + decay * (r[w] ** 2 + r[l] ** 2)
               for w, l in b.pairs())


def cost(b, still, o):
    c, k, decay = [row[0] for row in b.value], mpf(o.get("sign_weight", 1)), mpf(o.get("regularization", "0.0005" if o.get("profile") == "align-anything" else 0))
    g = [-1 if safe else 1 for safe in b.safe]
    return sum(-ls(c[l] - c[w]) + k * (-ls(g[w] * c[w]) - ls(g[l] * c[l])) + decay * (c[w] ** 2 + c[l] ** 2) for w, l in b.pairs())


def process_reward(b, still, o):
    neutral, total = o.get("neutral", "good"), mpf(0)
    for answer in range(len(b.lengths)):
        steps = [(row[0], step) for row, step, mark in zip(b.value, b.step, b.mark) if mark == answer]
        if o.get("last_step_only"):
            steps = steps[-1:]
        if neutral == "ignore":
            steps = [(v, step) for v, step in steps if step != 0]
        for v, step in steps:
            total -= ls(v if step > 0 or (step == 0 and neutral == "good") else -v) / len(steps)
    return total


def classify(b, still, o):
    eps, total = mpf(o.get("label_smoothing", 0)), mpf(0)
    for row, kind in zip(b.value, b.kind):
        logp = [v - log(sum(exp(x) for x in row)) for v in row]
        total -= (1 - eps) * logp[kind] + eps * mean(logp)
    return total


def distill(b, still, o):
    share = mpf(o.get("lambda", 1))
    return sum(w * (share * d - (1 - share) * lp) for w, d, lp in zip(b.weight, b.divergence, b.logprob))


def random_batch(seed, shape):
    draw = random.Random(seed)
    answers = {"supervised": [1] * 8, "unpaired": [1] * 8, "steps": [1] * 6, "labelled": [1] * 6, "pair": [2] * 6, "triple": [3] * 4, "ranking": [2, 4, 3, 2]}[shape]
    lengths = [draw.randint(1, 9) for _ in range(sum(answers))]
    units = range(sum(lengths))
    logprob = [round(-draw.expovariate(0.9) - 0.01, 6) for _ in units]
    batch = {
        "answers": answers,
        "lengths": lengths,
        "logprob": logprob,
        "reference": [round(lp + draw.gauss(0, 0.6), 6) for lp in logprob],
        "weight": [draw.choice([0.5, 1.0, 1.0, 2.0]) for _ in units],
        "uniform": [round(-6 - draw.random(), 6) for _ in units],
        "divergence": [round(draw.random() * 3, 6) for _ in units],
        "collision": [round(-draw.random() * 2, 6) for _ in units],
        "rating": [],
        "desirable": [],
        "mismatched": [round(-20 * draw.random(), 6) for _ in answers],
        "mismatched_reference": [round(-20 * draw.random() - 2, 6) for _ in answers],
        "safe": [draw.randint(0, 1) for _ in lengths],
        "kind": [draw.randint(0, 2) for _ in lengths],
    }
    marks = [a for a in range(len(lengths)) for _ in range(draw.randint(1, 4) if shape == "steps" else 1)]
    batch["mark"] = marks
    batch["step"] = [draw.choice([1, 1, 0, -1]) for _ in marks]
    batch["value"] = [[round(draw.gauss(0, 2), 6) for _ in range(3 if shape == "labelled" else 1)] for _ in marks]
    for n in answers:
        ratings = sorted((float(draw.randint(1, 5)) for _ in range(n)), reverse=True)
        if n == 2 and ratings[0] == ratings[1]:
            ratings[0] += 1.0
        batch["rating"] += ratings
        batch["desirable"] += [1, 0] if shape == "pair" else [draw.randint(0, 1) if a else 1 for a in range(n)]
    if shape == "unpaired":
        batch["desirable"] = [1, 0, 1, 1, 0, 0, 1, 0]
        batch["ratio"] = [round(draw.random() * 3, 6) for _ in answers]
    return batch


DPO = [({}, "pair", True), ({"beta": 0.5}, "pair", True), ({"beta": 2.0, "label_smoothing": 0.1}, "pair", False),
       ({"beta": 0.05, "label_smoothing": 0.3}, "pair", False), ({}, "ranking", True),
       ({"loss": "plackett_luce", "beta": 0.3}, "ranking", False), ({"loss": "plackett_luce"}, "pair", True),
       ({"loss": "robust", "label_smoothing": 0.1}, "pair", False), ({"loss": "hinge", "beta": 0.4}, "pair", True),
       ({"loss": "ipo"}, "pair", False), ({"loss": "ipo", "ipo_average": "token"}, "pair", False),
       ({"loss": "ipo", "profile": "trl", "beta": 0.3}, "pair", False),
       ({"loss": "exo", "label_smoothing": 0.001}, "pair", False), ({"loss": "nca"}, "pair", False), ({"loss": "bco_pair"}, "pair", True),
       ({"loss": "sppo_hard", "beta": 0.01}, "pair", True), ({"loss": "aot"}, "pair", True), ({"loss": "aot", "label_smoothing": 0.2}, "pair", False),
       ({"loss": "aot_unpaired", "beta": 0.2}, "pair", True), ({"loss": "apo_zero"}, "pair", True), ({"loss": "apo_down"}, "pair", False),
       ({"loss": "discopop"}, "pair", False), ({"loss": "discopop", "discopop_tau": 0.5}, "pair", False),
       ({"loss": "sigmoid_norm", "beta": 2.0}, "pair", True), ({"loss": "alpha_dpo", "beta": 2.5}, "pair", True),
       ({"divergence": "forward_kl"}, "pair", True), ({"divergence": "js", "beta": 0.5}, "pair", True), ({"divergence": "alpha"}, "pair", True),
       ({"divergence": "alpha", "divergence_alpha": 0.3, "loss": "hinge"}, "pair", True), ({"ld_alpha": 0.3}, "pair", True),
       ({"ld_alpha": 0.5, "profile": "llamafactory"}, "pair", True), ({"wpo": True}, "pair", True), ({"nll_weight": 1.0}, "pair", True),
       ({"nll_weight": 0.5, "profile": "trl"}, "pair", True), ({"nll_weight": 0.2, "nll_average": "sum"}, "pair", True),
       ({"loss": "sigmoid", "mix": {"bco_pair": 0.25, "ipo": 0.5}, "nll_weight": 1.0}, "pair", False),
       ({"offset_scale": 1.0}, "pair", True), ({"loss": "alpha_dpo", "alpha": 0.5, "gamma": 1.0}, "pair", True),
       ({"ld_alpha": 0.0, "ld_reference": "no"}, "pair", True), ({"ld_alpha": 0.0, "ld_reference": "yes", "profile": "llamafactory"}, "pair", True),
       ({"loss": "ipo", "ipo_average": "sum", "profile": "trl"}, "pair", False), ({"nll_weight": 1.0, "nll_average": "batch"}, "pair", True),
       ({"nll_weight": 1.0, "nll_average": "answer", "profile": "trl"}, "pair", True)]
CASES = {
    "sft": (sft, [({}, "supervised", True), ({"label_smoothing": 0.1}, "supervised", True), ({"weighting": "dft"}, "supervised", True),
                  ({"weighting": "dft", "label_smoothing": 0.2}, "supervised", True)]),
    "dpo": (dpo, DPO),
    "kto": (kto, [({}, "unpaired", True), ({"beta": 0.4, "desirable_weight": 1.3, "undesirable_weight": 0.7}, "unpaired", True),
                  ({"loss": "apo_zero_unpaired"}, "unpaired", True), ({}, "pair", True)]),
    "bco": (bco, [({}, "unpaired", True), ({"shift": "classes", "beta": 0.3}, "unpaired", True), ({}, "pair", True),
                  ({"density_ratio": True}, "unpaired", True)]),
    "orpo": (orpo, [({}, "pair", True), ({"lambda": 0.5}, "pair", True), ({"nll_average": "batch"}, "pair", True), ({}, "ranking", False),
                    ({"profile": "trl"}, "pair", True), ({"nll_average": "answer"}, "pair", True)]),
    "simpo": (simpo, [({}, "pair", True), ({"beta": 2.5, "gamma": 0.3, "label_smoothing": 0.1}, "pair", False), ({"alpha": 0.25}, "pair", True),
                      ({"alpha": -0.5}, "pair", True), ({}, "ranking", False), ({"nll_weight": 0.5}, "pair", True), ({"profile": "trl"}, "pair", True)]),
    "cpo": (cpo, [({}, "pair", True), ({"label_smoothing": 0.1}, "pair", False), ({"loss": "hinge"}, "pair", True), ({"loss": "ipo"}, "pair", False),
                  ({"nll_average": "batch"}, "pair", True), ({"nll_weight": 0.0, "beta": 0.5}, "pair", True), ({"nll_average": "answer"}, "pair", True),
                  ({"nll_average": "sum"}, "pair", True), ({"profile": "trl"}, "pair", True)]),
    "tpo": (tpo, [({}, "triple", False), ({"loss": "length_normalised", "beta": 2.0}, "triple", False),
                  ({"loss": "length_normalised", "beta": 1.0, "gamma": 1.2}, "triple", False),
                  ({"nll_average": "batch", "nll_weight": 0.5}, "triple", False), ({"nll_average": "answer"}, "triple", False),
                  ({"nll_average": "sum"}, "triple", False), ({"profile": "trl"}, "triple", False)]),
    "distill": (distill, [({}, "supervised", True), ({"lambda": 0.5}, "supervised", True), ({"divergence": "reverse", "lambda": 0.3}, "supervised", True),
                          ({"divergence": "js", "beta": 0.3, "lambda": 0.7}, "supervised", True),
                          ({"temperature": 2.0, "lambda": 0.0}, "supervised", True)]),
    "reward": (reward, [({}, "pair", True), ({"margin": 0.5}, "pair", True), ({"label_smoothing": 0.1}, "pair", False),
                        ({"centring": 0.01}, "pair", False), ({"profile": "align-anything"}, "pair", False), ({"regularization": 0.1}, "pair", False),
                        ({}, "ranking", False)]),
    "cost": (cost, [({}, "pair", False), ({"sign_weight": 0.5, "regularization": 0.001}, "pair", False), ({"sign_weight": 0.0}, "pair", False), ({"profile": "align-anything"}, "pair", False)]),
    "process_reward": (process_reward, [({}, "steps", False), ({"neutral": "bad"}, "steps", False), ({"neutral": "ignore"}, "steps", False),
                                        ({"last_step_only": True}, "steps", False)]),
    "classify": (classify, [({"classes": 3}, "labelled", False), ({"classes": 3, "label_smoothing": 0.1}, "labelled", False)]),
}


VALUES = ("reward", "cost", "process_reward", "classify")


def exact(data):
    numbers = lambda value: [[mpf(x) for x in row] if isinstance(row, list) else mpf(row) for row in value]
    counts = ("answers", "lengths", "desirable", "safe", "kind", "mark", "step")
    return Batch({key: value if key in counts else numbers(value) for key, value in data.items()})


def derivative(formula, data, options, field):
    step, still, found = mpf(10) ** -14, exact(data), []
    flat = isinstance(data[field][0], list)
    for u in range(len(data[field]) * (len(data[field][0]) if flat else 1)):
        sides = []
        for sign in (1, -1):
            moved = exact(data)
            row, place = (getattr(moved, field)[u // len(data[field][0])], u % len(data[field][0])) if flat else (getattr(moved, field), u)
            row[place] += sign * step
            sides.append(formula(moved, still, options))
        found.append(float((sides[0] - sides[1]) / (2 * step)))
    return found


if __name__ == "__main__":
    for name, (formula, variants) in CASES.items():
        cases = []
        for seed, (options, shape, monotone) in enumerate(variants):
            data = random_batch(seed, shape)
            still = exact(data)
            case = {"options": options, "shape": shape, "monotone": monotone, "batch": data,
                    "numerator": float(formula(exact(data), still, options)), "gradient": derivative(formula, data, options, "value" if name in VALUES else "logprob")}
            if name == "distill":
                case["divergence_gradient"] = derivative(formula, data, options, "divergence")
            if options.get("label_smoothing") and name == "sft":
                case["uniform_gradient"] = derivative(formula, data, options, "uniform")
            cases.append(case)
        path = PLUGINS / name / "golden.json"
        kept = json.loads(path.read_text()).get("peers", []) if path.exists() else []
        path.write_text(json.dumps({"made_by": "tests/reference/algorithms.py", "cases": cases, "peers": kept}, indent=None, separators=(",", ":"))
                        .replace('{"options"', '\n{"options"') + "\n")
        print(f"{path.relative_to(PLUGINS.parents[1])}: {len(cases)} cases")
