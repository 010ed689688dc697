"""How the examples of a batch are laid out: end to end in one row, or a row each that is filled up to the longest."""

from collections.abc import Sequence

# Tokens of a row at which its attention takes as long as the layers' matrices. Of Mistral-7B, a layer's matrices are
# 2 x 218 million operations a token, and attention to n tokens 4 x 4096 n: as many at n = 26,600. Taken by half, since
# attention with a mask runs slower than a matrix product. An estimate, which benchmarks/gpu_qlora.py is to measure.
EVEN = 13_000


def packs(lengths: Sequence[int]) -> bool:
    """Whether examples of these lengths (tokens) are less work end to end than filled up.

    Padding is saved, and attention computed over the whole row, though no example attends to another.
    """
    return _work(sum(lengths), sum(lengths)) < _work(len(lengths) * max(lengths), max(lengths))


def shape(lengths: Sequence[int], packing: bool) -> tuple[int, int]:
    """(rows, tokens of each) of a batch of these lengths, by a recipe's `packing`."""
    return (1, sum(lengths)) if packing and packs(lengths) else (len(lengths), max(lengths))


def _work(tokens: int, row: int) -> float:
    return tokens * (1 + row / EVEN)
