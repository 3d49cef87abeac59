"""What every peer needs to find its program, say its version and write its configuration."""

import os
import re
import subprocess

import certificate

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", ".."))
UNLIMITED = 1000000000


def first_line(command, pattern):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=10, check=False)
    found = re.search(pattern, done.stdout)
    return found.group(1) if found else "?"


def tidegate():
    return os.path.realpath(os.environ.get("TIDEGATE_BIN") or os.path.join(ROOT, "build", "release", "tidegate"))


def home(processes, peer, scenario):
    """A new directory, with the run's certificate in it where there is TLS."""
    path = processes.home(f"{peer}-{scenario.name}")
    if scenario.tls:
        certificate.place(processes.directory, path)
    return path


def write(home, name, text):
    """The path of a file of that text."""
    path = os.path.join(home, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path
