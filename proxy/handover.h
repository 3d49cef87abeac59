// The conversation of two Tidegates while one takes over from the other: over a pair of connected unix-domain sockets, whose
// other end the new process inherits. Part of the composition root.
//
//   old -> new   the listening sockets, a message each (SCM_RIGHTS), the lock of the state file, what names resolve to, and which
//                addresses are unhealthy or left out
//   new -> old   ready: everything is made that can fail; from here on the old one decides nothing more
//   old -> new   the state: every gate with its evidence, how long each rollout's step lasts already
//   new -> old   serving: which sockets it has taken; the old one drains
//
// Until here nothing has changed for the old one: if the new one fails, it goes on. And then until the old one has drained:
//
//   new -> old   in_force: what it decides for a route, which the old one follows and says so (followed)
//   old -> new   counted: what came of the requests that it still serves
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/clock.h"
#include "control/other_process.h"
#include "observe/health_board.h"
#include "sockets.h"

namespace tidegate {

/// One end. A message is a JSON object, and perhaps a descriptor.
class HandoverChannel {
 public:
  struct Message {
    boost::json::object body;
    int descriptor = -1;  ///< the receiver's; close-on-exec
  };

  explicit HandoverChannel(int descriptor) noexcept : descriptor_(descriptor) {}
  HandoverChannel(HandoverChannel&& from) noexcept;
  HandoverChannel& operator=(HandoverChannel&&) = delete;
  ~HandoverChannel();

  /// Both wait until `deadline`. @throws std::runtime_error when the other end has gone, or is late.
  void send(const boost::json::object& body, TimePoint deadline, int descriptor = -1) const;
  Message receive(TimePoint deadline) const;
  /// Whether something came within that time, its end included.
  bool wait(Duration most) const;

  /// A message as it is sent.
  static std::string frame(const boost::json::object& body);
  /// Sends what goes without waiting. @return how much that was. @throws std::runtime_error when the other end has gone.
  std::size_t send_some(std::string_view bytes) const;
  /// Appends what has come. @return false: nothing. @throws std::runtime_error when the other end has gone.
  bool receive_some(std::string& into) const;
  /// The first message of what has come, if all of it is there. @throws std::runtime_error when it is none.
  static std::optional<boost::json::object> take_frame(std::string& from);

 private:
  int descriptor_;
};

/// The process on the other side while both serve. After the conversation above.
class ChannelToOther : public control::OtherProcess {
 public:
  explicit ChannelToOther(HandoverChannel channel) noexcept : channel_(std::move(channel)) {}
  void tell(const boost::json::object& what) override;
  std::vector<boost::json::object> heard(Duration most) override;
  bool is_gone() const noexcept override { return gone_; }

 private:
  void flush();
  HandoverChannel channel_;
  std::string unsent_;
  std::string received_;
  bool gone_ = false;
};

/// The new process's side.
class Predecessor {
 public:
  /// Empty: this process follows none.
  static std::optional<Predecessor> from_environment();

  /// Once, at first. @throws std::runtime_error
  std::vector<HandedSocket> take_sockets();
  int take_lock() noexcept { return std::exchange(lock_, -1); }
  const std::vector<std::pair<std::string, std::vector<net::Address>>>& names() const noexcept { return names_; }
  const std::vector<observe::HealthBoard::Record>& health() const noexcept { return health_; }
  /// Everything is made; from here on only this process decides. @return what the old one knew. @throws std::runtime_error
  boost::json::object take_state();
  /// This process serves. @param left listeners whose sockets it has no use for
  /// @throws std::runtime_error when the old one has changed its mind.
  void tell_serving(const std::vector<std::string>& left);
  pid_t pid() const noexcept { return pid_; }
  /// At last.
  HandoverChannel take_channel() noexcept { return std::move(channel_); }

 private:
  explicit Predecessor(HandoverChannel channel) noexcept : channel_(std::move(channel)) {}
  HandoverChannel channel_;
  int lock_ = -1;
  std::vector<std::pair<std::string, std::vector<net::Address>>> names_;
  std::vector<observe::HealthBoard::Record> health_;
  pid_t pid_ = 0;
};

/// A message: what is known of an address.
boost::json::object health_json(const observe::HealthBoard::Record& of);

/// The old process's side: a process that was started to follow this one, and is ended unless it does.
class Successor {
 public:
  /// Starts `program` with the arguments. @throws std::runtime_error
  Successor(const std::string& program, const std::vector<std::string>& arguments);
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;
  ~Successor();

  const HandoverChannel& channel() const noexcept { return channel_; }
  pid_t pid() const noexcept { return pid_; }
  /// How it ended, for people, after the conversation broke off: "it ended with 78".
  /// @param at_once it may serve already: it is not given long to say why it ends
  std::string end(bool at_once);
  /// It is on its own from here on.
  HandoverChannel release() noexcept {
    pid_ = 0;
    return std::move(channel_);
  }

 private:
  static HandoverChannel start(const std::string& program, const std::vector<std::string>& arguments, pid_t& pid);
  pid_t pid_ = 0;
  HandoverChannel channel_;
};

}  // namespace tidegate
