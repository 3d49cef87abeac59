// What `auto` stands for on this machine.
//
// `workers: auto`: one a CPU that this process may use. The affinity mask says which CPUs there are for it, the cgroup
// quota how much of them; more threads than that are throttled together and tail latency pays for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidegate::config {

inline constexpr std::uint32_t kMostWorkers = 256;

/// CPUs in a cgroup v2 `cpu.max` ("150000 100000" is 1.5); empty for "max" and for what is no cpu.max.
std::optional<double> parse_cpu_max(std::string_view text);

/// At least 1, at most kMostWorkers; a quota counts in whole CPUs, rounded down.
std::uint32_t workers_for(std::uint32_t cpus, std::optional<double> quota);

/// For this process, here and now: sched_getaffinity(2) and the smallest cpu.max from its cgroup up to the root.
std::uint32_t automatic_workers();

/// `memory.buffers: auto`: a half of what there is; the rest is for connections, TLS and HTTP/2, and for the kernel.
std::uint64_t buffers_for(std::uint64_t memory);

/// For this process, here and now: the smallest memory.max from its cgroup up to the root, or the machine's memory.
std::uint64_t automatic_buffers();

}  // namespace tidegate::config
