// Notes Ctrl-C and SIGTERM while it lives, for a verb that has something to put back before it ends. A second one ends
// the process at once. One at a time in a process; main thread.
#pragma once

namespace tidegate::cli {

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// 0 = none came.
  int signal() const noexcept;
};

}  // namespace tidegate::cli
