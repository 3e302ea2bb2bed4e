#!/usr/bin/env python3
"""Golden statistics: random cases answered by scikit-learn, scipy and statsmodels.

Run it where numpy, scipy, scikit-learn and statsmodels are installed, from this folder:
    python3 -m venv venv && venv/bin/pip install numpy scipy scikit-learn statsmodels
    venv/bin/python make_statistics.py
It writes statistics.safetensors, a function of the seeds below; other versions of the libraries move last bits only.
Made with scipy 1.17.1, scikit-learn 1.9.1, statsmodels 0.15.0, numpy 2.4.6.

Every family is a table of cases: FAMILY.shape i64 [cases, 2] says how many values each has, FAMILY.* hold them one case after
the other. Scores are bytes over 64, paired values (byte - 128) / 16 and confidences bytes over 200, so that ties are ties in
every program; classes go missing, scores are constant, pairs tie and agree. Of a classification one class (the case's number
modulo the classes) and the means over classes are kept.
"""
import json
import struct
import warnings

import numpy as np
from scipy import stats
from sklearn import metrics
from sklearn.calibration import calibration_curve
from statsmodels.stats.multitest import multipletests

CLASSIFICATION, INTERVALS, EXACT_TIES, EXACT, LARGE, HOLM, CALIBRATION = 2000, 300, 400, 300, 200, 300, 400


def classification(rng, out):
    shapes, labels, scores, expected = [], [], [], []
    for case in range(CLASSIFICATION):
        classes, n = int(rng.integers(2, 5)), int(rng.integers(1, 19))
        present = rng.choice(classes, int(rng.integers(1, classes + 1)), replace=False)  # the others go missing
        y = rng.choice(present, n)
        levels = int(rng.choice([2, 5, 65]))
        s = rng.integers(0, levels, (n, classes)) * (64 // (levels - 1))
        if case % 10 == 0:
            s[:] = 32
        p = s / 64.0
        guess = p.argmax(1)
        rows = []
        occurs = [c for c in range(classes) if c in y or c in guess]
        for c in range(classes):
            truth, hit = y == c, guess == c
            tn, fp, fn, tp = metrics.confusion_matrix(truth, hit, labels=[False, True]).ravel()
            both = 0 < truth.sum() < n
            rows.append([metrics.accuracy_score(truth, hit), metrics.precision_score(truth, hit, zero_division=0),
                         metrics.recall_score(truth, hit, zero_division=0), tn / (tn + fp) if tn + fp else 0.0,
                         metrics.f1_score(truth, hit, zero_division=0),
                         metrics.roc_auc_score(truth, p[:, c]) if both else np.nan,
                         metrics.average_precision_score(truth, p[:, c]) if truth.any() else np.nan])
        table = np.array(rows)
        macro = metrics.precision_recall_fscore_support(y, guess, average="macro", zero_division=0)
        areas = [np.mean(a[~np.isnan(a)]) if (~np.isnan(a)).any() else np.nan for a in (table[:, 5], table[:, 6])]
        rows = [rows[case % classes]]
        rows.append([table[occurs, 0].mean(), macro[0], macro[1], table[occurs, 3].mean(), macro[2], *areas])
        shapes.append((n, classes))
        labels.append(y), scores.append(s.ravel()), expected.append(np.array(rows).ravel())
    out["classification.shape"] = np.array(shapes, np.int64)
    out["classification.labels"] = np.concatenate(labels).astype(np.uint8)
    out["classification.scores"] = np.concatenate(scores).astype(np.uint8)
    out["classification.expected"] = np.concatenate(expected)


def intervals(rng, out):
    shapes, values, expected = [], [], []
    for _ in range(INTERVALS):
        n, level = int(rng.integers(2, 41)), float(rng.choice([0.8, 0.9, 0.95, 0.99, 0.999]))
        v = rng.uniform(0, 1, n)
        low, high = stats.t.interval(level, n - 1, v.mean(), stats.sem(v))
        shapes.append((n, 1)), values.append(v), expected.append([level, v.mean(), (high - low) / 2])
    out["interval.shape"] = np.array(shapes, np.int64)
    out["interval.values"] = np.concatenate(values)
    out["interval.expected"] = np.array(expected)


def wilcoxon(rng, out):
    shapes, a_all, b_all, expected = [], [], [], []

    def add(a, b, **how):
        d = a - b
        if not (d != 0).any():
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            p = stats.wilcoxon(a, b, zero_method="wilcox", correction=False, **how).pvalue
        ranks = stats.rankdata(np.abs(d[d != 0]))
        plus = ranks[d[d != 0] > 0].sum()
        shapes.append((len(a), 1)), a_all.append(a), b_all.append(b)
        expected.append([plus, ranks.sum() - plus, p])
        return True

    done = 0
    while done < EXACT_TIES:  # ties and zeros: every sign of the ranks at hand
        n, levels = int(rng.integers(1, 12)), int(rng.choice([3, 6, 20]))
        a, b = rng.integers(0, levels, (2, n)) / 16.0
        if np.count_nonzero(a - b) >= 2:  # scipy permutes no single pair; EXACT has those
            done += add(a, b, method=stats.PermutationMethod(n_resamples=np.inf))
    for _ in range(EXACT):  # no ties: the textbook's table
        n = int(rng.integers(1, 51))
        d = rng.permutation(np.arange(1, n + 1)) * rng.choice([-1, 1], n, p=[0.3, 0.7]) / 16.0
        add(d, np.zeros(n), method="exact")
    for _ in range(LARGE):  # the normal approximation, with ties
        n = int(rng.integers(60, 121))
        b = rng.integers(0, 4, n) / 16.0
        a = b + rng.choice([-1, 1], n, p=[0.4, 0.6]) * rng.integers(1, int(rng.choice([4, 60])), n) / 16.0
        add(a, b, method="asymptotic")
    out["wilcoxon.shape"] = np.array(shapes, np.int64)
    for name, values in (("a", a_all), ("b", b_all)):
        whole = np.concatenate(values) * 16 + 128
        out["wilcoxon." + name] = whole.astype(np.uint8)
        assert (out["wilcoxon." + name] == whole).all()
    out["wilcoxon.expected"] = np.array(expected)


def holm(rng, out):
    shapes, values, expected = [], [], []
    for case in range(HOLM):
        m = int(rng.integers(1, 13))
        p = rng.uniform(0, 1, m) ** int(rng.choice([1, 3]))
        if case % 3 == 0:
            p = np.round(p, 1)  # ties, zeros and ones
        shapes.append((m, 1)), values.append(p), expected.append(multipletests(p, method="holm")[1])
    out["holm.shape"] = np.array(shapes, np.int64)
    out["holm.values"], out["holm.expected"] = np.concatenate(values), np.concatenate(expected)


def calibration(rng, out):
    shapes, confidence, right, expected = [], [], [], []
    for case in range(CALIBRATION):
        n, bins = int(rng.integers(2, 61)), int(rng.choice([1, 2, 5, 10, 15]))
        whole = rng.integers(0, 21, n) * 10 if case % 2 else rng.integers(0, 201, n)  # on the edges, or between too
        p = whole / 200.0
        if case % 10 == 3:
            whole[:], p[:] = whole[0], p[0]
        y = (rng.uniform(0, 1, n) < p).astype(int)
        true, mean = calibration_curve(y, p, n_bins=bins, strategy="uniform")
        index = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p)
        count = np.bincount(index, minlength=bins)
        table = np.full((bins, 3), np.nan)
        table[:, 0] = count
        table[count > 0, 1], table[count > 0, 2] = mean, true
        gap = np.abs(true - mean)
        shapes.append((n, bins)), confidence.append(whole), right.append(y)
        expected.append(np.concatenate([[np.sum(count[count > 0] / n * gap), gap.max()], table.ravel()]))
    out["calibration.shape"] = np.array(shapes, np.int64)
    out["calibration.confidence"] = np.concatenate(confidence).astype(np.uint8)
    out["calibration.right"] = np.concatenate(right).astype(np.uint8)
    out["calibration.expected"] = np.concatenate(expected)


def write_safetensors(path, tensors):
    names = {np.dtype("uint8"): "U8", np.dtype("float64"): "F64", np.dtype("int64"): "I64"}
    header, data = {}, b""
    for name in sorted(tensors, key=lambda n: -tensors[n].dtype.itemsize):  # wide ones first: every one is aligned
        raw = np.ascontiguousarray(tensors[name]).tobytes()
        header[name] = {"dtype": names[tensors[name].dtype], "shape": list(tensors[name].shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def main():
    tensors = {}
    for seed, family in enumerate((classification, intervals, wilcoxon, holm, calibration), 1):
        family(np.random.default_rng(seed), tensors)
    write_safetensors("statistics.safetensors", tensors)


if __name__ == "__main__":
    main()
