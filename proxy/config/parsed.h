// A value read from text, or the sentence that says why not. The sentence starts with the text itself and is made to
// stand after "path: ". Policy code never sees it; it lives between text and section.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace tidegate::config {

template <class T>
struct Parsed {
  std::optional<T> value;
  std::string error;  ///< set when there is no value

  static Parsed good(T value) { return {std::move(value), {}}; }
  static Parsed bad(std::string why) { return {std::nullopt, std::move(why)}; }
  explicit operator bool() const noexcept { return value.has_value(); }
};

}  // namespace tidegate::config
