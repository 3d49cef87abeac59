// The process on the other side of a binary upgrade, while the one before still serves what it has begun. Each tells the other
// what only it knows: the one before counts requests, the new one decides. What is told is engine_handover.cpp's.
//
// Control thread.
#pragma once

#include <boost/json/object.hpp>
#include <vector>

#include "base/clock.h"

namespace tidegate::control {

class OtherProcess {
 public:
  virtual ~OtherProcess() = default;

  /// Does not wait for it: what it does not take yet is told with the next call of either.
  virtual void tell(const boost::json::object& what) = 0;
  /// What it has told since the last call. @param most to wait for something
  virtual std::vector<boost::json::object> heard(Duration most = {}) = 0;
  /// It has ended, or does not speak as it should.
  virtual bool is_gone() const noexcept = 0;
};

}  // namespace tidegate::control
