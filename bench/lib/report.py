"""What a client says of a run, whichever client it was."""

from dataclasses import dataclass, fields


class NotAReport(Exception):
    pass


@dataclass(frozen=True)
class Errors:
    """Each client has its own kinds: the fields of its own class."""

    def total(self):
        return sum(getattr(self, field.name) for field in fields(self))

    def __str__(self):
        seen = {field.name: getattr(self, field.name) for field in fields(self)}
        return ", ".join(f"{name} {count}" for name, count in seen.items() if count) or "none"


@dataclass(frozen=True)
class Report:
    requests: int
    seconds: float
    bytes_read: float
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    errors: Errors
