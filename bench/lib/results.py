"""A run as plain data, for machines and for the picture: every measurement, medians with their spread, ratios."""

import json
from dataclasses import asdict

import figures


def plain(value):
    return None if value is None else asdict(value)


def scenario(comparison):
    medians = {label: {field: plain(figures.of(results, field)) for field in asdict(results[0]) if field != "problem"}
               for label, results in comparison.rounds.items()}
    ratios = figures.ratios(comparison.rounds, comparison.pairs(), comparison.RATIOS)
    return {**comparison.as_json(), "picture": comparison.PICTURE, "medians": medians,
            "ratios": {name: {field: plain(value) for field, value in values.items()} for name, values in ratios.items()},
            "problems": comparison.problems()}


def write(path, run):
    with open(path, "w", encoding="ascii") as file:
        json.dump(run, file, indent=1)
        file.write("\n")


def merge(paths):
    """Several runs as one: scenarios in the order of the files, a later one of the same name in the place of the earlier."""
    merged = {}
    for path in paths:
        with open(path, encoding="ascii") as file:
            run = json.load(file)
        scenarios = {entry["name"]: entry for entry in merged.get("scenarios", []) + run["scenarios"]}
        merged = {**merged, **run, "versions": {**merged.get("versions", {}), **run["versions"]},
                  "scenarios": list(scenarios.values())}
    return merged
