// The field section of a message: names and values as places in the bytes that were received, in the order in which they
// came. Nothing is copied; the bytes must outlive the list. Fields that the data plane acts upon carry their FieldId.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/limits.h"

namespace tidegate::http {

enum class FieldId : std::uint8_t {
  Other,
  Alias,  ///< with `_` read as `-` one of those that Tidegate writes or believes; itself none of them
  Connection,
  ContentLength,
  Date,
  Expect,
  Forwarded,
  Host,
  KeepAlive,
  ProxyConnection,
  Te,
  Tidegate,  ///< x-tidegate-*
  Traceparent,
  Tracestate,
  Trailer,
  TransferEncoding,
  Upgrade,
  UserAgent,
  XForwarded,  ///< every other x-forwarded-*, and x-real-ip
  XForwardedFor,
  XForwardedHost,
  XForwardedProto,
  XRequestId,
};

/// Case-insensitive.
FieldId identify(std::string_view name) noexcept;

struct Field {
  std::uint32_t name_at = 0;
  std::uint32_t value_at = 0;
  std::uint32_t value_size = 0;
  std::uint16_t name_size = 0;
  FieldId id = FieldId::Other;
  bool hop_by_hop : 1 = false;  ///< not to be forwarded: named by Connection, or hop-by-hop by nature
  bool verbatim : 1 = false;    ///< its line was "name: value CRLF", just as the encoder would write it
};

class FieldList {
 public:
  static constexpr std::size_t kMost = 256;  ///< bounds what HeadLimits::fields may ask for

  FieldList() noexcept {}
  FieldList(const FieldList& other) noexcept { *this = other; }
  FieldList& operator=(const FieldList& other) noexcept {
    base_ = other.base_;
    count_ = other.count_;
    ids_ = other.ids_;
    if (this != &other) std::copy(other.begin(), other.end(), begin());
    return *this;
  }

  void clear() noexcept {
    count_ = 0;
    ids_ = 0;
  }
  /// The bytes that the places refer to; set again when the buffer moved.
  void set_base(const char* base) noexcept { base_ = base; }
  bool add(const Field& field) noexcept {
    if (count_ == kMost) return false;
    places_.of[count_++] = field;
    ids_ |= bit(field.id);
    return true;
  }
  /// Takes out those that `is_unwanted`, a predicate on fields; the others keep their order.
  template <class P>
  void drop_if(P&& is_unwanted) noexcept {
    count_ = static_cast<std::size_t>(std::remove_if(begin(), end(), is_unwanted) - begin());
  }
  /// Whether a field with that id is there at all: most are not, and nobody need look for them.
  bool has(FieldId id) const noexcept { return (ids_ & bit(id)) != 0; }

  std::size_t size() const noexcept { return count_; }
  Field* begin() noexcept { return places_.of; }
  Field* end() noexcept { return places_.of + count_; }
  const Field* begin() const noexcept { return places_.of; }
  const Field* end() const noexcept { return places_.of + count_; }

  std::string_view name(const Field& field) const noexcept { return {base_ + field.name_at, field.name_size}; }
  std::string_view value(const Field& field) const noexcept { return {base_ + field.value_at, field.value_size}; }
  /// Of a verbatim field: its whole line with CRLF.
  std::string_view line(const Field& field) const noexcept {
    return {base_ + field.name_at, std::size_t{field.name_size} + field.value_size + 4};
  }
  /// The value of the first field with that id; empty view with null data when there is none.
  std::string_view first(FieldId id) const noexcept;
  std::size_t count(FieldId id) const noexcept;
  /// The value of the only field of that name, in any case; empty when there is none, or more than one.
  std::string_view sole(std::string_view name) const noexcept;

 private:
  union Places {
    Places() noexcept {}  // 5 KiB that are written before they are read: lists are made and copied for every message of HTTP/2
    Field of[kMost];
  };

  static constexpr std::uint32_t bit(FieldId id) noexcept { return 1u << static_cast<unsigned>(id); }

  const char* base_ = nullptr;
  std::size_t count_ = 0;
  std::uint32_t ids_ = 0;
  Places places_;
};

/// Marks what must not be forwarded (RFC 9110 §7.6.1): hop-by-hop fields by nature and those that Connection names. Host
/// and the fields that carry framing cannot be named away: the encoder writes them anew in any case.
/// @return false when Connection names more than kConnectionOptions: the work is options times fields, and nobody needs so
/// many.
[[nodiscard]] bool mark_hop_by_hop(FieldList& fields) noexcept;

/// What becomes of names with `_`. Aliases of Tidegate's own names never pass, whatever is asked for here.
/// @return false: there is one, and they are rejected.
[[nodiscard]] bool look_for_underscores(FieldList& fields, Underscores wanted) noexcept;
[[nodiscard]] inline bool settle_underscores(FieldList& fields, Underscores wanted) noexcept {
  return wanted == Underscores::Keep || look_for_underscores(fields, wanted);
}

}  // namespace tidegate::http
