"""The floor: a bare epoll loop that copies bytes (bench/floor/floor.cpp). It is what sockets cost without a proxy's work."""

import built
from processes import answers


class Floor:
    name = "floor"
    optional = True
    splits_requests = False

    def __init__(self):
        self.program = built.Program("floor", "bench_floor")

    def missing(self):
        return self.program.missing()

    def version(self):
        return "of this tree"

    def start(self, processes, scenario, old, new, cpu):
        program = self.program.ready()
        home = processes.home(f"floor-{scenario.name}")
        port = processes.free_port()
        process = processes.start(home, [program, str(port), str(old), str(new), str(scenario.weight)], cpu)
        processes.wait_for(process, lambda: answers(port))
        return process, port
