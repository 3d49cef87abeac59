// Which texts are well formed: UTF-8, names, tokens, field values, hosts. Pure predicates over bytes; what to say about
// a text that is not stands with the keys that use them.
#pragma once

#include <string>
#include <string_view>

namespace tidegate::config {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string lower(std::string_view text);
std::string upper(std::string_view text);

/// Bytes before the first that is not part of well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates);
/// the whole size when all is well.
std::size_t valid_utf8_prefix(std::string_view text) noexcept;

/// Letters, digits, "-", "_", ".": what is safe in a metric label and in a URL part. Not empty.
bool is_label(std::string_view text) noexcept;

/// RFC 9110 §5.6.2: methods and field names.
bool is_token(std::string_view text) noexcept;

/// RFC 9110 §5.5, without obs-text being judged: no CR, LF, NUL or other control but tab, no blank at either end.
bool is_field_value(std::string_view text) noexcept;

/// A DNS name as resolvers take it: labels of letters, digits, "-" and "_", at most 63 bytes each and 253 in all, a dot
/// at the end allowed. A name whose last label is a number is not one (it would be read as an IPv4 address).
bool is_host_name(std::string_view text) noexcept;

bool is_ipv4(std::string_view text) noexcept;
bool is_ipv6(std::string_view text) noexcept;  ///< without brackets and zone

}  // namespace tidegate::config
