#!/usr/bin/env python3
"""Scores of the CDNOW customers, computed from the formulas alone: recompute.py cdnow.csv.gz > scores.tsv

Every distinct purchase is an order: a fact of valence +0.3 and confidence 0.7, so its weight is 0.7 x 1. A score is read at
the customer's latest purchase T, which is the as_of of the last score record:

    score = 50 + 50 (sum(w v 2^(-(T - t)/h)) + k m) / (sum(w 2^(-(T - t)/h)) + k)        k = 2, m = +0.2

with half-lives h of 12 hours (moment), 30 days (relationship) and 730 days (lifetime). The service keeps decayed sums
with a landmark instead; that both give the same numbers is the point. Days are taken at 12:00 UTC.

One line a customer: customer, purchases, moment, relationship, lifetime; published numbers have six decimals.
Plain Python 3, nothing to install.
"""

import csv
import datetime
import gzip
import math
import sys

VALENCE = 0.3
WEIGHT = 0.7
PRIOR_WEIGHT = 2.0
PRIOR_MEAN = 0.2
HALF_LIVES_HOURS = (12.0, 30 * 24.0, 730 * 24.0)


def read(path):
    """Hours since 1970 of the distinct purchases of each customer."""
    with gzip.open(path, "rt", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        distinct = {tuple(row) for row in rows}
    customers = {}
    for customer, date, _units, _dollars in distinct:
        noon = datetime.datetime.fromisoformat(date + "T12:00:00+00:00")
        customers.setdefault(customer, []).append(noon.timestamp() / 3600.0)
    return customers


def score(hours, half_life):
    read_at = max(hours)
    weights = [WEIGHT * 2.0 ** (-(read_at - at) / half_life) for at in hours]
    total = math.fsum(weights)
    valued = math.fsum(weight * VALENCE for weight in weights)
    return 50.0 + 50.0 * (valued + PRIOR_WEIGHT * PRIOR_MEAN) / (total + PRIOR_WEIGHT)


def main():
    customers = read(sys.argv[1])
    for customer in sorted(customers):
        hours = customers[customer]
        scores = "\t".join(f"{score(hours, half_life):.6f}" for half_life in HALF_LIVES_HOURS)
        print(f"{customer}\t{len(hours)}\t{scores}")


if __name__ == "__main__":
    main()
