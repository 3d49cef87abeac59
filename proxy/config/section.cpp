#include "config/section.h"

#include "config/keys.h"
#include "config/placement.h"
#include "config/suggest.h"
#include "config/unsupported.h"

namespace tidegate::config {
namespace {

/// "tls" for "listeners[].tls.certificates[]" seen from "listeners[]"; empty for what is not below.
std::string first_step(std::string_view section, std::string_view below) {
  if (!below.starts_with(section)) return {};
  below.remove_prefix(section.size());
  if (!section.empty() && !below.starts_with('.')) return {};
  if (!section.empty()) below.remove_prefix(1);
  return std::string(below.substr(0, below.find_first_of(".[")));
}

}  // namespace

std::string fail_unknown_key(const Value& value, const Entry& entry, std::string_view section,
                             std::span<const std::string_view> known) {
  const std::string& key = entry.key.text;
  if (is_unsupported_key(section, key)) {
    value.fail_key(entry, std::string(kNotSupported));
    return {};
  }
  if (const std::string_view near = nearest(key, known); !near.empty()) {
    value.fail_key(entry, "unknown key" + did_you_mean(near));
    return std::string(near);
  }
  static const std::vector<std::string> kKnown = known_keys();
  const std::vector<std::string> there = sections_with(key, section, kKnown);
  value.fail_key(entry, there.empty() ? "unknown key" : "unknown key here; it belongs to " + listed(there));
  return there.empty() ? std::string() : first_step(section, there.front());
}

}  // namespace tidegate::config
