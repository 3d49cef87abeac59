// What PRODUCT §2 names and this version does not do yet, in one table. Such a key gets its own message: whoever copied
// it from the documentation of a later version made no typing error. A feature that arrives deletes its line here.
#pragma once

#include <string_view>

namespace tidegate::config {

inline constexpr std::string_view kNotSupported = "not supported by this version yet";

/// @param section  as in the key tables: "routes[].gate", "clusters.NAME", "" for the top
bool is_unsupported_key(std::string_view section, std::string_view key) noexcept;

/// A word that is not taken where others are.
/// @param path  of the value, with indices or without: "routes[2].gate.on_fail"
bool is_unsupported_value(std::string_view path, std::string_view word) noexcept;

}  // namespace tidegate::config
