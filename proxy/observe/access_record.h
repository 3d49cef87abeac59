// What the access log says about one exchange (PRODUCT §5). Views that live until the record is formatted.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"

namespace tidegate::observe {

struct AccessRecord {
  std::int64_t start_time_ms = 0;      ///< since the Unix epoch
  std::string_view method;
  std::string_view path;               ///< the target with its query
  std::string_view protocol;           ///< "HTTP/1.1"
  std::uint16_t response_code = 0;
  std::string_view response_flags;     ///< Envoy's: UF UT UC UO UPE DC NR DPE; "" = none
  std::uint64_t bytes_received = 0;    ///< of the request body
  std::uint64_t bytes_sent = 0;        ///< of the response body
  Duration duration{0};
  Duration upstream_service_time{-1};  ///< until the response head; negative = none came
  std::string_view x_forwarded_for;
  std::string_view user_agent;
  std::string_view request_id;
  std::string_view authority;
  std::string_view upstream_host;
  std::string_view upstream_cluster;
  std::string_view route_name;
  std::string_view downstream_remote_address;
  std::string_view side;               ///< old | new | ""
  std::uint64_t epoch = 0;
  std::string_view reason;             ///< why this side: weight | retry | hedge | spill; or what went wrong
  bool mirrored = false;
  std::string_view trace_id;
};

/// Takes records of one worker. Never blocks: what does not fit is dropped and counted.
class AccessLogSink {
 public:
  virtual void write(const AccessRecord& record) noexcept = 0;

 protected:
  ~AccessLogSink() = default;
};

}  // namespace tidegate::observe
