// What the demo shows: on a terminal a picture that is redrawn (shares, evidence, events), in a pipe one line an event
// and one a second. Draws facts, knows nothing of how they came about. The demo's thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/terminal.h"

namespace tidegate::cli {

/// A moment of the demo.
struct DemoFacts {
  double seconds = 0;                ///< since the load began
  double weight = 0;                 ///< percent of new, as workers use it
  double old_rate = 0, new_rate = 0; ///< requests a second that the clusters got
  std::uint64_t new_requests = 0, new_failures = 0;  ///< of the cluster, since the fault began
  std::uint64_t answers = 0, errors = 0;             ///< what clients saw
  double evidence = 0;               ///< of the gate, 0..1 of what a revert needs
  bool latched = false;
  std::string gate;                  ///< verdict and sentence
};

class DemoView {
 public:
  /// @param live redraws; false = plain lines.
  DemoView(Terminal& terminal, bool live, std::vector<std::string> title);

  void event(double seconds, const std::string& what, const std::string& text);
  void show(const DemoFacts& facts);
  /// Leaves the picture on the screen and goes on below it.
  void close();

 private:
  void draw(const DemoFacts& facts);
  std::string bar(double share, Tone tone) const;

  Terminal& terminal_;
  const bool live_;
  const std::vector<std::string> title_;
  std::vector<std::string> events_;
  DemoFacts last_;
  double last_line_ = -1;
  std::size_t drawn_ = 0;
};

}  // namespace tidegate::cli
