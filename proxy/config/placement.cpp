#include "config/placement.h"

#include <algorithm>

namespace tidegate::config {
namespace {

constexpr std::size_t kMostShown = 3;

/// "clusters.NAME.tls" is two steps, clusters.NAME and tls: one of a kind is a place, its name is not.
std::vector<std::string_view> steps_of(std::string_view section) {
  std::vector<std::string_view> out;
  std::size_t begin = 0;
  while (begin < section.size()) {
    std::size_t end = section.find('.', begin);
    if (section.substr(std::min(end, section.size())).starts_with(".NAME")) end = section.find('.', end + 1);
    end = std::min(end, section.size());
    out.push_back(section.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::size_t steps_between(std::string_view a, std::string_view b) {
  const auto from = steps_of(a), to = steps_of(b);
  const auto parting = std::mismatch(from.begin(), from.end(), to.begin(), to.end());
  return static_cast<std::size_t>((from.end() - parting.first) + (to.end() - parting.second));
}

}  // namespace

std::vector<std::string> sections_with(std::string_view key, std::string_view section, std::span<const std::string> known) {
  std::vector<std::string> out;
  std::size_t nearest = 0;
  for (const std::string& path : known) {
    const std::size_t dot = path.rfind('.');
    const std::string_view name = std::string_view(path).substr(dot == std::string::npos ? 0 : dot + 1);
    if (name != key) continue;
    const std::string there = dot == std::string::npos ? "" : path.substr(0, dot);
    const std::size_t steps = steps_between(section, there);
    if (!out.empty() && steps > nearest) continue;
    if (out.empty() || steps < nearest) out.clear();
    nearest = steps;
    out.push_back(there);
  }
  if (out.size() > kMostShown) out.clear();
  return out;
}

std::string listed(const std::vector<std::string>& sections) {
  std::string out;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    if (i > 0) out += i + 1 == sections.size() ? " or " : ", ";
    out += sections[i].empty() ? "the top of the file" : sections[i];
  }
  return out;
}

}  // namespace tidegate::config
