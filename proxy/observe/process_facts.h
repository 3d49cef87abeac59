// What the kernel says of this process, for the process_* metrics that every Prometheus client library has. Reads /proc
// when asked and keeps nothing; what cannot be read is left out rather than shown as 0. Any thread, not on the request
// path.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidegate::observe {

/// From /proc/self/stat (proc(5)).
struct ProcessStat {
  double cpu_seconds = 0.0;  ///< user and system, of all threads
  std::uint64_t threads = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_bytes = 0;
};

/// @param line of /proc/self/stat. The program's name in it may contain blanks and parentheses.
/// @param ticks_per_second, page_bytes the units of times and of resident memory.
std::optional<ProcessStat> parse_process_stat(std::string_view line, double ticks_per_second, std::uint64_t page_bytes);

std::optional<ProcessStat> read_process_stat();
std::optional<std::uint64_t> count_open_descriptors();
/// The soft limit; infinity if there is none.
std::optional<double> descriptor_limit();

}  // namespace tidegate::observe
