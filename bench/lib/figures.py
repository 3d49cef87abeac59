"""Medians, spreads and ratios over the rounds of a comparison.

A ratio is taken round by round, between turns that lay seconds apart, and the median is of these: what slows the whole
machine for a while then slows both sides of a ratio."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    median: float
    low: float
    high: float


def figure(values):
    """None when a round could not tell."""
    values = list(values)
    if not values or None in values:
        return None
    return Figure(statistics.median(values), min(values), max(values))


def of(results, name):
    return figure(getattr(result, name) for result in results)


def ratio(results, others, name):
    pairs = [(getattr(one, name), getattr(other, name)) for one, other in zip(results, others)]
    return figure(one / other if one is not None and other else None for one, other in pairs)


# What is divided, and its heading.
RATIOS = {"cpu_us": "CPU", "requests_per_second": "requests/s", "p50_ms": "p50", "p99_ms": "p99", "p999_ms": "p99.9",
          "resident_mib": "memory"}


def ratios(rounds, pairs, names):
    """{"tidegate/haproxy": {"cpu_us": Figure, ...}, ...}"""
    return {f"{one}/{other}": {name: ratio(rounds[one], rounds[other], name) for name in names} for one, other in pairs}
