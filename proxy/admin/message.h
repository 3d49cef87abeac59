// A request and a response of the admin API as plain values, so that everything behind them can be tested without a
// socket. The session makes one from Beast's types and the other into them. No I/O, no rules.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidegate::admin {

struct Field {
  std::string name;  ///< as it came; compared without case
  std::string value;
};

struct Request {
  std::string method;
  std::string target;  ///< origin form: path and query
  std::vector<Field> fields;
  std::string body;

  /// The first of that name; nullptr if there is none.
  const std::string* find(std::string_view name) const noexcept;
  std::size_t count(std::string_view name) const noexcept;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<Field> fields;  ///< beside Content-Type and Content-Length
};

using Answer = std::function<void(Response)>;

Response json_response(const boost::json::value& value, unsigned status = 200);
Response text_response(std::string body, std::string content_type = "text/plain; charset=utf-8", unsigned status = 200);

}  // namespace tidegate::admin
