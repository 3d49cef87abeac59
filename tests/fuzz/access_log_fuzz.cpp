// The access log's formatter against arbitrary bytes in every text: whatever clients send and however small the room
// is, a line comes out, it is one line, and an independent parser takes it as a JSON object with every field.
#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "observe/access_line.h"

namespace {

using namespace tidegate::observe;

constexpr std::size_t kFields = 23;

/// Takes the input apart: numbers from its front, then texts whose lengths it tells itself.
class Input {
 public:
  Input(const unsigned char* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    const std::size_t taken = std::min(sizeof value, rest_.size());
    if (taken > 0) std::memcpy(&value, rest_.data(), taken);
    rest_.remove_prefix(taken);
    return value;
  }
  std::string_view text() {
    const std::size_t length = std::min<std::size_t>(number() % (2 * kAccessLineBytes), rest_.size());
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }

 private:
  std::string_view rest_;
};

AccessRecord make_record(Input& input) {
  AccessRecord record;
  record.start_time_ms = static_cast<std::int64_t>(input.number());
  record.duration = tidegate::Duration(static_cast<std::int64_t>(input.number()));
  record.upstream_service_time = tidegate::Duration(static_cast<std::int64_t>(input.number()));
  record.bytes_received = input.number();
  record.response_code = static_cast<std::uint16_t>(input.number());
  for (std::string_view* text :
       {&record.path, &record.user_agent, &record.method, &record.protocol, &record.response_flags,
        &record.x_forwarded_for, &record.request_id, &record.authority, &record.upstream_host,
        &record.upstream_cluster, &record.route_name, &record.downstream_remote_address, &record.side, &record.reason,
        &record.trace_id}) {
    *text = input.text();
  }
  return record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  Input input(data, size);
  static std::array<char, kAccessLineBytes> room;
  const std::size_t width = kLeastLineBytes + input.number() % (kAccessLineBytes - kLeastLineBytes + 1);
  const std::size_t written = format_access_line(make_record(input), {room.data(), width});
  const std::string_view line(room.data(), written);
  if (written == 0 || written > width || line.find('\n') != written - 1) std::abort();
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(line.substr(0, written - 1), error);
  if (error || !value.is_object() || value.get_object().size() != kFields) std::abort();
  return 0;
}
