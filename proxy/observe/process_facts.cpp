#include "observe/process_facts.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <system_error>
#include <vector>

namespace tidegate::observe {

namespace {

/// The numbers of proc(5) less 3: counted from 0, without the two fields before the state.
enum Field : std::size_t {
  kUserTime = 11,
  kSystemTime = 12,
  kThreads = 17,
  kVirtualBytes = 20,
  kResidentPages = 21,
  kNeeded
};

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(' '), line.size());
    if (end > 0) words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

std::optional<std::uint64_t> number(std::string_view word) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view line, double ticks_per_second,
                                              std::uint64_t page_bytes) {
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  const auto words = split(line.substr(name_end + 1));
  if (words.size() < kNeeded) return std::nullopt;
  const auto user = number(words[kUserTime]), system = number(words[kSystemTime]), threads = number(words[kThreads]);
  const auto size = number(words[kVirtualBytes]), pages = number(words[kResidentPages]);
  if (!user || !system || !threads || !size || !pages) return std::nullopt;
  return ProcessStat{static_cast<double>(*user + *system) / ticks_per_second, *threads, *size, *pages * page_bytes};
}

std::optional<ProcessStat> read_process_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return parse_process_stat(line, static_cast<double>(::sysconf(_SC_CLK_TCK)),
                            static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
}

std::optional<std::uint64_t> count_open_descriptors() {
  std::error_code error;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end; at.increment(error)) {
    ++count;
  }
  if (error || count == 0) return std::nullopt;
  return count - 1;  // the one that reads the directory
}

std::optional<double> descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  if (limit.rlim_cur == RLIM_INFINITY) return std::numeric_limits<double>::infinity();
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace tidegate::observe
