"""Whether a rival computed what we did."""
from dataclasses import dataclass

# Relative differences that the precision of a computation explains. Float32: the sums run over up to 10^5 terms in another
# order, and a maximum that two frameworks round differently takes another branch. TF32 has 10 bits of mantissa, and its
# meta-gradient is off by up to a fifth.
LOSS = {"float32": 1e-4, "default": 2e-2}
NORM = {"float32": 2e-3, "default": 3e-1}


@dataclass(frozen=True)
class Figures:
    loss: float
    grad_norm: float


def relative(a: float, b: float) -> float:
    return abs(a - b) / max(abs(a), abs(b), 1e-30)


def why_wrong(ours: Figures, theirs: Figures, precision: str) -> str:
    """Empty where they agree. A NaN agrees with nothing."""
    for name, a, b, limit in (("loss", ours.loss, theirs.loss, LOSS[precision]),
                              ("gradient norm", ours.grad_norm, theirs.grad_norm, NORM[precision])):
        if not relative(a, b) <= limit:
            return f"{name} {b:.8g} where ours is {a:.8g}: {relative(a, b):.1e} apart, {limit:.0e} allowed"
    return ""
