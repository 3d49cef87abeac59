#include "forward/outcome.h"

namespace tidegate::forward {

bool is_error(const gate::ErrorRule& rule, std::uint16_t status) noexcept { return rule.server_errors && status >= 500; }

bool is_grpc_error(const gate::ErrorRule& rule, std::uint32_t grpc_status) noexcept {
  constexpr std::uint32_t kUnknown = 2;
  return (rule.grpc & gate::grpc_bit(grpc_status <= gate::kHighestGrpcCode ? grpc_status : kUnknown)) != 0;
}

bool counts_for_gate(const gate::ErrorRule& rule, Failure failure) noexcept {
  switch (failure) {
    case Failure::Connect: return rule.connect;
    case Failure::Timeout: return rule.timeout;
    case Failure::Reset:
    case Failure::Protocol: return rule.reset;
    case Failure::Status: return true;  // is_error() was asked before
    default: return false;
  }
}

std::uint16_t reply_status(Failure failure) noexcept {
  switch (failure) {
    case Failure::Timeout: return 504;
    case Failure::Overflow: return 503;
    default: return 502;
  }
}

std::string_view reply_text(Failure failure) noexcept {
  switch (failure) {
    case Failure::Connect: return "upstream failure: connect";
    case Failure::Timeout: return "upstream failure: timeout";
    case Failure::Reset: return "upstream failure: connection closed before the response";
    case Failure::Protocol: return "upstream failure: malformed response";
    case Failure::Overflow: return "overloaded: no upstream connection free";
    default: return "upstream failure";
  }
}

std::string_view response_flags(Failure failure, bool client_gone, bool routed, bool head_read, bool client_fault) noexcept {
  if (!head_read || client_fault) return "DPE";
  if (client_gone) return "DC";
  if (!routed) return "NR";
  switch (failure) {
    case Failure::Connect: return "UF";
    case Failure::Timeout: return "UT";
    case Failure::Reset: return "UC";
    case Failure::Protocol: return "UPE";
    case Failure::Overflow: return "UO";
    default: return "";
  }
}

}  // namespace tidegate::forward
