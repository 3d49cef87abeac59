// What the admin API says when it refuses: {"error": {"code", "message", "field"}} with one of a few stable code words,
// each with its HTTP status. Clients look at the word, people read the message. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "admin/message.h"
#include "control/command.h"

namespace tidegate::admin {

enum class ErrorCode : std::uint8_t {
  Invalid,               ///< 400
  InvalidConfiguration,  ///< 422: the file is bad; nothing was changed
  Unauthorized,          ///< 401: no token, or the wrong one
  Forbidden,             ///< 403: a foreign Host or Origin, or a role that may not
  NotFound,              ///< 404
  MethodNotAllowed,      ///< 405, with Allow
  Conflict,              ///< 409: not possible in this state
  Stale,                 ///< 412: If-Match names an older epoch
  TooLarge,              ///< 413
  UnsupportedMediaType,  ///< 415
  StoreFailed,           ///< 503: could not be made durable, and was not done
  Unavailable,           ///< 503: no answer in time, or the process ends
  TlsRequired,           ///< 400: plain HTTP where TLS is spoken
};

struct ErrorWord {
  std::string_view word;
  unsigned status;
};
ErrorWord word(ErrorCode code) noexcept;

/// @param field the JSON member, query parameter or header that is at fault; empty = null in the answer.
Response error_response(ErrorCode code, std::string_view message, std::string_view field = {});
Response error_response(const control::CommandError& error);

}  // namespace tidegate::admin
