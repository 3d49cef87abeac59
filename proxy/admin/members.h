// The body of a request: one flat JSON object, read strictly. Unknown, repeated and nested members are refused by name,
// so that a misspelled member is never silently without effect and two readers never see two values. It does not know
// which request it belongs to: the caller says which members it takes. Pure.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/message.h"

namespace tidegate::admin {

class Members {
 public:
  /// An empty body is an object without members. @return or the refusal.
  struct Read;
  static Read read(const std::string& body, const std::vector<std::string_view>& known);

  /// nullptr: not given.
  const boost::json::value* find(std::string_view name) const noexcept;

 private:
  friend class FlatObject;
  std::vector<std::pair<std::string, boost::json::value>> members_;
};

struct Members::Read {
  Members members{};
  std::optional<Response> refusal{};
};

}  // namespace tidegate::admin
