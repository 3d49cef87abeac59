#include "admin/error_response.h"

#include <array>
#include <boost/json.hpp>

namespace tidegate::admin {

ErrorWord word(ErrorCode code) noexcept {
  static constexpr std::array<ErrorWord, 13> kWords{{{"invalid", 400},
                                                     {"invalid", 422},
                                                     {"unauthorized", 401},
                                                     {"forbidden", 403},
                                                     {"not_found", 404},
                                                     {"method_not_allowed", 405},
                                                     {"conflict", 409},
                                                     {"stale", 412},
                                                     {"too_large", 413},
                                                     {"unsupported_media_type", 415},
                                                     {"store_failed", 503},
                                                     {"unavailable", 503},
                                                     {"tls_required", 400}}};
  return kWords[static_cast<std::size_t>(code)];
}

Response error_response(ErrorCode code, std::string_view message, std::string_view field) {
  const ErrorWord word_of_code = word(code);
  boost::json::object error{{"code", word_of_code.word}, {"message", message}, {"field", nullptr}};
  if (!field.empty()) error["field"] = field;
  return json_response(boost::json::object{{"error", std::move(error)}}, word_of_code.status);
}

Response error_response(const control::CommandError& error) {
  using Code = control::CommandError::Code;
  ErrorCode code = ErrorCode::Invalid;
  switch (error.code) {
    case Code::NotFound:
      code = ErrorCode::NotFound;
      break;
    case Code::Invalid:
      code = ErrorCode::Invalid;
      break;
    case Code::Conflict:
      code = ErrorCode::Conflict;
      break;
    case Code::Stale:
      code = ErrorCode::Stale;
      break;
    case Code::Store:
      code = ErrorCode::StoreFailed;
      break;
  }
  return error_response(code, error.message, error.field);
}

}  // namespace tidegate::admin
