// A decision of the gate played again from its record: the state of every detector just before the deciding tick, and that
// tick, are kept in the record; the replay restores them, runs the real gate's tick and compares. The state of a gate is
// bounded (six suspicions, some sums), so the record is a few KiB however long the suspicion lasted, and it is exact:
// numbers are written as the shortest text that reads back as the same double. Parameters are in it, so a configuration
// that changed since does not matter. Pure; any thread.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "gate/route_gate.h"

namespace tidegate::control {

/// A tick of a gate with everything that it depends on.
struct GateTick {
  gate::RouteGate before;
  gate::StreamCounts counts;
  double dt_s = 0.0;
};

/// What a record keeps of the tick and of its answer.
boost::json::object to_json(const GateTick& tick, const gate::Ruling& answer);

/// Counts alone, as another process tells them. counts_of: empty when it cannot be read.
boost::json::object to_json(const gate::StreamCounts& counts);
std::optional<gate::StreamCounts> counts_of(const boost::json::object& from);

struct Replay {
  GateTick tick;
  gate::Ruling recorded;       ///< decision, reason, stream, statistics, window
  gate::Ruling answer;         ///< of the gate as it is now
  gate::Statistics before;     ///< of the answer's stream, before the tick
  std::string sentence;        ///< of the answer
  bool same = false;           ///< decision, reason, stream, window and, within rounding of other builds, statistics
};

/// @param record what to_json() made. Empty when it cannot be read: of another version, or damaged.
std::optional<Replay> replay(const boost::json::object& record);

}  // namespace tidegate::control
