// The configuration loader against arbitrary bytes: it answers with a config or with problems, within its bounds, and
// never with both an error and a config. Seeds are in seeds/config.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/check_files.h"
#include "config/load.h"
#include "config/text_rules.h"

/// Certificates and keys are read by load_file() alone: from a text that came from anywhere no file is opened.
void tidegate::config::check_files(const Config&, const Node&, Problems&) { std::abort(); }

namespace {

/// What the JSON API and a terminal can show as it is.
bool is_one_line(const std::string& text) {
  const bool has_control = std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
  return !has_control && tidegate::config::valid_utf8_prefix(text) == text.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tidegate::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "A") return "10%";
    if (name == "LB") return "lb.example.com:80";
    return std::nullopt;
  };
  const Loaded loaded = load_text(text, "fuzz.yaml", environment);
  bool has_error = false;
  for (const Problem& problem : loaded.problems) {
    has_error = has_error || problem.severity == Severity::Error;
    if (!is_one_line(to_string(problem))) std::abort();
  }
  if (has_error == loaded.config.has_value()) std::abort();
  return 0;
}
