"""The result as text: a plain table of medians, each with its spread where it matters."""

import figures

HEADINGS = ("", "CPU us/request", "user", "system", "requests/s", "p50 ms", "p99 ms", "MiB", "busy", "waited", "to new", "errors")
RATIO_HEADINGS = ("ratio", "CPU", "requests/s", "p50", "p99", "memory")


def spread(value, digits):
    if value is None:
        return "-"
    return f"{value.median:,.{digits}f} ({value.low:,.{digits}f}..{value.high:,.{digits}f})"


def median(value, digits):
    return "-" if value is None else f"{value.median:,.{digits}f}"


def percent(value, digits=0):
    return "-" if value is None else f"{value.median * 100:.{digits}f} %"


def row(name, results):
    def get(field):
        return figures.of(results, field)

    return (name, spread(get("cpu_us"), 1), median(get("user_us"), 1), median(get("system_us"), 1),
            spread(get("requests_per_second"), 0), median(get("p50_ms"), 2), spread(get("p99_ms"), 2),
            median(get("resident_mib"), 1), percent(get("busy")), percent(get("waited")), percent(get("share_of_new"), 1),
            str(sum(result.errors for result in results)))


def ratio_row(name, values):
    return (name,) + tuple(spread(values[field], 2) for field in figures.RATIOS)


def aligned(rows):
    """The first column to the left, the others to the right."""
    widths = [max(len(line[column]) for line in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) if column else cell.ljust(width)
                               for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in rows)


def text(comparison, seconds):
    rounds = comparison.rounds
    count = len(next(iter(rounds.values())))
    connections = f"{comparison.connections} connection{'s' if comparison.connections > 1 else ''}"
    title = (f"{comparison.scenario.name}: {comparison.scenario.title}; {connections}, "
             f"{count} round{'s' if count > 1 else ''} of {seconds} s; median (lowest..highest)")
    results = aligned([HEADINGS] + [row(name, values) for name, values in rounds.items()])
    ratios = figures.ratios(rounds)
    if not ratios:
        return "\n".join([title, "", results])
    return "\n".join([title, "", results, "", aligned([RATIO_HEADINGS] + [ratio_row(*item) for item in ratios.items()])])
