// The JSON of GET /api/v1/history/ID: a decision with its whole record, and the replay of it. Pure.
#pragma once

#include <boost/json/object.hpp>

#include "store/store.h"

namespace tidegate::admin {

/// As in the history, and `replay`: `{"possible": true, "same": true, "decision": ..., ...}` of a decision of the gate, else
/// `{"possible": false, "same": null, "why": ...}`. A record that should be replayable and cannot be read is not the same.
boost::json::object explain_json(const store::Decision& decision);

}  // namespace tidegate::admin
