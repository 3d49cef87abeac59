#include "http/head.h"

#include <array>

namespace tidegate::http {

namespace {
constexpr std::array<std::string_view, kMethodCount> kMethods{"GET",    "HEAD",    "POST",    "PUT",   "PATCH",
                                                              "DELETE", "OPTIONS", "CONNECT", "TRACE", "OTHER"};
}

Method method_of(std::string_view token) noexcept {
  for (std::size_t i = 0; i + 1 < kMethodCount; ++i) {
    if (token == kMethods[i]) return static_cast<Method>(i);
  }
  return Method::Other;
}

std::string_view label(Method method) noexcept { return kMethods[static_cast<std::size_t>(method)]; }

std::string_view reason_phrase(std::uint16_t status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 417: return "Expectation Failed";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

}  // namespace tidegate::http
