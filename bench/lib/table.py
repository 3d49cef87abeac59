"""The result as text: a plain table of medians, each with its spread where it matters."""

import figures

HEADINGS = ("", "CPU us/request", "user", "system", "requests/s", "p50 ms", "p99 ms", "p99.9 ms", "MiB", "busy", "waited", "to new", "errors")


def spread(value, digits):
    if value is None:
        return "-"
    return f"{value.median:,.{digits}f} ({value.low:,.{digits}f}..{value.high:,.{digits}f})"


def median(value, digits):
    return "-" if value is None else f"{value.median:,.{digits}f}"


def percent(value, digits=0):
    return "-" if value is None else f"{value.median * 100:.{digits}f} %"


def row(name, get, errors):
    """`get`: the Figure of a field over the rounds."""
    return (name, spread(get("cpu_us"), 1), median(get("user_us"), 1), median(get("system_us"), 1),
            spread(get("requests_per_second"), 0), median(get("p50_ms"), 2), spread(get("p99_ms"), 2),
            median(get("p999_ms"), 2), median(get("resident_mib"), 1), percent(get("busy")), percent(get("waited")),
            percent(get("share_of_new"), 1), str(errors))


def aligned(rows):
    """The first column to the left, the others to the right."""
    widths = [max(len(line[column]) for line in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) if column else cell.ljust(width)
                               for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in rows)


def text(comparison, seconds):
    def line(label, results):
        return comparison.row(label, lambda field: figures.of(results, field), sum(result.errors for result in results))

    parts = [comparison.title(seconds),
             aligned([comparison.HEADINGS] + [line(*item) for item in comparison.rounds.items()])]
    ratios = figures.ratios(comparison.rounds, comparison.pairs(), comparison.RATIOS)
    if ratios:
        lines = [(name,) + tuple(spread(value, 2) for value in values.values()) for name, values in ratios.items()]
        parts.append(aligned([("ratio",) + tuple(comparison.RATIOS.values())] + lines))
    return "\n\n".join(parts)
