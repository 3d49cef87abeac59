// Ends another thread's wait: an eventfd that is polled together with what that thread waits for. Signals add up to
// one; clear() forgets them. It carries no data. Owned by the thread's owner (AccessLog).
#pragma once

namespace tidegate::observe {

class WakeUp {
 public:
  WakeUp();  ///< @throws std::system_error
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  int descriptor() const noexcept { return descriptor_; }  ///< readable while signalled
  void signal() const noexcept;                            ///< any thread, and signal handlers
  void clear() const noexcept;

 private:
  const int descriptor_;
};

}  // namespace tidegate::observe
