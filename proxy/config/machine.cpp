#include "config/machine.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>

namespace tidegate::config {
namespace {

std::uint32_t cpus_of_affinity_mask() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 1;  // more than 1024 CPUs: `workers` must say how many
  return static_cast<std::uint32_t>(CPU_COUNT(&mask));
}

/// The path after "0::" of /proc/self/cgroup; "/" inside a container with its own cgroup namespace.
std::string own_cgroup() {
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("0::/")) return line.substr(3);
  }
  return "/";
}

std::optional<double> cgroup_quota() {
  std::optional<double> least;
  for (std::string group = own_cgroup();; group.resize(group.rfind('/'))) {
    if (group == "/") group.clear();
    std::ifstream in("/sys/fs/cgroup" + group + "/cpu.max");
    std::string line;
    std::getline(in, line);
    if (const auto quota = parse_cpu_max(line)) least = std::min(least.value_or(*quota), *quota);
    if (group.empty()) return least;
  }
}

/// The smallest memory.max from the cgroup up to the root.
std::optional<std::uint64_t> cgroup_memory() {
  std::optional<std::uint64_t> least;
  for (std::string group = own_cgroup();; group.resize(group.rfind('/'))) {
    if (group == "/") group.clear();
    std::ifstream in("/sys/fs/cgroup" + group + "/memory.max");
    std::uint64_t bytes = 0;
    if (in >> bytes) least = std::min(least.value_or(bytes), bytes);  // "max" is no number
    if (group.empty()) return least;
  }
}

}  // namespace

std::optional<double> parse_cpu_max(std::string_view text) {
  const char* const end = text.data() + text.size();
  std::uint64_t quota = 0;
  std::uint64_t period = 0;
  const auto first = std::from_chars(text.data(), end, quota);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, period);
  if (second.ec != std::errc() || period == 0) return std::nullopt;
  return static_cast<double>(quota) / static_cast<double>(period);
}

std::uint32_t workers_for(std::uint32_t cpus, std::optional<double> quota) {
  if (quota && *quota < cpus) cpus = static_cast<std::uint32_t>(*quota);
  return std::clamp(cpus, 1u, kMostWorkers);
}

std::uint64_t buffers_for(std::uint64_t memory) { return std::max<std::uint64_t>(memory / 2, 16u << 20); }

std::uint64_t automatic_buffers() {
  const auto physical = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return buffers_for(std::min(physical, cgroup_memory().value_or(physical)));
}

std::uint32_t automatic_workers() { return workers_for(cpus_of_affinity_mask(), cgroup_quota()); }

}  // namespace tidegate::config
