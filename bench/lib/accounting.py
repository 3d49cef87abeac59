"""What a process used, in the kernel's own accounting.

CPU time comes from /proc/PID/task/TID/schedstat: nanoseconds on a CPU and nanoseconds ready but waiting for one, both
exact at every context switch. /proc/PID/stat has user and system time in ticks (10 ms), sampled: good enough to
divide the exact sum, not to replace it. Every thread of every process that belongs to a proxy is counted."""

import os
from dataclasses import dataclass

# Fewer ticks than this say nothing about the division into user and system time.
ENOUGH_TICKS = 20


@dataclass(frozen=True)
class Usage:
    """Sums since the start of the processes."""
    run_ns: int
    wait_ns: int
    user_ticks: int
    system_ticks: int

    def since(self, earlier):
        return Usage(self.run_ns - earlier.run_ns, self.wait_ns - earlier.wait_ns,
                     self.user_ticks - earlier.user_ticks, self.system_ticks - earlier.system_ticks)

    def user_share(self):
        """The part of the CPU time that was spent in user mode, None when too little was seen."""
        ticks = self.user_ticks + self.system_ticks
        return self.user_ticks / ticks if ticks >= ENOUGH_TICKS else None


def parse_schedstat(text):
    """(nanoseconds on a CPU, nanoseconds ready but waiting)"""
    run, wait, _slices = text.split()
    return int(run), int(wait)


def parse_stat_ticks(text):
    """(user, system) in ticks. The second field, the name, may hold blanks and parentheses: count from its end."""
    fields = text[text.rindex(")") + 2:].split()
    return int(fields[11]), int(fields[12])


def parse_children(text):
    return [int(pid) for pid in text.split()]


def parse_resident_kib(text):
    for line in text.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def family(pid):
    """The process and the children that it has (the workers of NGINX)."""
    pids = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        for child in parse_children(read(f"/proc/{pid}/task/{task}/children")):
            pids += family(child)
    return pids


def usage(pid):
    run = wait = user = system = 0
    for member in family(pid):
        for task in os.listdir(f"/proc/{member}/task"):
            try:
                ran, waited = parse_schedstat(read(f"/proc/{member}/task/{task}/schedstat"))
            except FileNotFoundError:
                continue  # a thread that ended between the listing and the look
            run, wait = run + ran, wait + waited
        in_user, in_system = parse_stat_ticks(read(f"/proc/{member}/stat"))
        user, system = user + in_user, system + in_system
    return Usage(run, wait, user, system)


def resident_kib(pid):
    """Of the processes that serve: with workers, the master (which shares nearly all its pages with them) is left out."""
    members = family(pid)
    return sum(parse_resident_kib(read(f"/proc/{member}/status")) for member in (members[1:] or members))
