#include "admin/message.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/json/serialize.hpp>

namespace tidegate::admin {

const std::string* Request::find(std::string_view name) const noexcept {
  for (const Field& field : fields) {
    if (boost::beast::iequals(field.name, name)) return &field.value;
  }
  return nullptr;
}

std::size_t Request::count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(std::count_if(
      fields.begin(), fields.end(), [name](const Field& field) { return boost::beast::iequals(field.name, name); }));
}

Response json_response(const boost::json::value& value, unsigned status) {
  Response out;
  out.status = status;
  out.body = boost::json::serialize(value) + '\n';
  return out;
}

Response text_response(std::string body, std::string content_type, unsigned status) {
  Response out;
  out.status = status;
  out.content_type = std::move(content_type);
  out.body = std::move(body);
  return out;
}

}  // namespace tidegate::admin
