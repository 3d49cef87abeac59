// A worker's end of the access log: chooses, formats, queues. It never blocks, allocates or opens anything; a line that
// does not fit into the ring is dropped and counted. The other end is AccessLog's thread, which owns the sink. write()
// is for the worker alone, ring() for the reader.
#pragma once

#include <array>
#include <cstdint>

#include "base/counter.h"
#include "observe/access_line.h"
#include "observe/access_record.h"
#include "observe/byte_ring.h"
#include "observe/wake_up.h"

namespace tidegate::observe {

class AccessSink final : public AccessLogSink {
 public:
  /// @param sample 0..1, of the requests that ended well; errors are always logged.
  AccessSink(std::size_t ring_bytes, double sample, Counter& dropped, const WakeUp& wake);

  void write(const AccessRecord& record) noexcept override;

  ByteRing& ring() noexcept { return ring_; }

 private:
  bool is_chosen(const AccessRecord& record) noexcept;

  ByteRing ring_;
  const WakeUp& wake_;
  Counter& dropped_;
  const std::uint64_t threshold_;  ///< of 2^32
  std::uint32_t position_ = 0;
  std::array<char, kAccessLineBytes> line_;  // here, because a worker's stack of coroutines has no place for it
};

}  // namespace tidegate::observe
