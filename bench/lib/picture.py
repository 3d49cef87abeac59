"""The medians as an SVG: a group for each scenario, a bar for each proxy, a thin line from the lowest to the highest round.

Each group has its own scale (1 MiB costs a hundred times 1 KiB). The background is transparent, and greys are chosen that can be
read on white and on black."""

from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, NUMBER = 760, 150, 500, 8     # pixels: all, the names, the longest bar, the gap before the number
ROW, GROUP, TOP = 20, 46, 58
TEXT = "#76808c"
COLOURS = {"tidegate": "#0e9f9a", "floor": "#c08a3e"}
OTHERS = "#8d99a8"
UNITS = {"cpu_us": ("CPU, microseconds a request", 1), "kib_each": ("resident KiB a connection", 2)}


def number(value, digits):
    return f"{value:,.0f}" if value >= 100 else f"{value:,.{digits}f}"


def line(x, y, text, size=12, anchor="start", extra=""):
    return f'<text x="{x:.1f}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{TEXT}"{extra}>{escape(text)}</text>'


def bar(label, figure, scale, y, digits):
    """A name, its bar, its spread, its number."""
    name = label.split(",")[0]
    faded = ' fill-opacity="0.5"' if label != name else ""
    length = max(1.0, figure["median"] * scale)
    low, high = (LABEL + figure[end] * scale for end in ("low", "high"))
    middle = y + ROW / 2 - 2
    return [line(LABEL - 8, y + 12, label, anchor="end", extra=' font-weight="bold"' if label == "tidegate" else ""),
            f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{ROW - 4}" rx="2" fill="{COLOURS.get(name, OTHERS)}"{faded}/>',
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="{TEXT}" stroke-width="1"/>',
            line(max(LABEL + length, high) + NUMBER, y + 12, number(figure["median"], digits))]


def heading(scenario, unit):
    count = scenario["connections"]
    return f"{scenario['title']}; {count:,} connection{'s' if count > 1 else ''}{unit}"


def group(scenario, y):
    """(lines, where the next group begins)"""
    field = scenario["picture"]
    unit, digits = UNITS[field]
    figures = {label: medians[field] for label, medians in scenario["medians"].items() if medians.get(field)}
    lines = [line(0, y + 14, scenario["name"], 14, extra=' font-weight="bold"'),
             line(LABEL, y + 14, heading(scenario, "" if field == "cpu_us" else f" ({unit})"))]
    y += 24
    scale = BAR / max((figure["high"] for figure in figures.values()), default=1)
    for label, figure in figures.items():
        lines += bar(label, figure, scale, y, digits)
        y += ROW
    return lines, y + GROUP - 24


def svg(run):
    lines = [line(0, 18, "CPU, microseconds a proxied request: less is better", 16, extra=' font-weight="bold"'),
             line(0, 36, "one worker on one core; median of the rounds, thin line: lowest to highest; each group has its own scale")]
    y = TOP
    for scenario in run["scenarios"]:
        added, y = group(scenario, y)
        lines += added
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    lines.append(line(0, y, versions, 11))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 10}" width="{WIDTH}" height="{y + 10}" '
            'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" role="img" '
            'aria-label="CPU time a proxied request of Tidegate and its peers">\n' + "\n".join(lines) + "\n</svg>\n")


def write(path, run):
    with open(path, "w", encoding="utf-8") as file:
        file.write(svg(run))
