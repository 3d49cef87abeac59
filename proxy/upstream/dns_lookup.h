// One question for the addresses of a name, by c-ares: the hosts file first, then the name servers for A and AAAA, with the
// search list of /etc/resolv.conf. Truncated answers are asked for again over TCP; answers with another id, from elsewhere
// or to another question are not looked at (all that is c-ares').
//
// Each has a channel of its own: its sockets, and so its source ports, are new, /etc/resolv.conf is read as it is now, and
// whatever servers do is over at the deadline. The resolver owns it and waits for its descriptors; the resolver's thread.
#pragma once

#include <poll.h>

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/address.h"
#include "upstream/policy.h"
#include "upstream/resolution.h"

struct ares_channeldata;
struct ares_addrinfo;

namespace tidegate::upstream {

class DnsLookup {
 public:
  struct Outcome {
    Resolved result = Resolved::Error;
    std::string why;                      ///< it failed, for people
    std::vector<net::Address> addresses;  ///< without ports; of those that this machine has no route to only when there are no others
    Duration ttl{};                       ///< the least of the answer's, aliases included
  };

  /// Asks at once. @param last what the name had before.
  DnsLookup(const DnsPolicy& policy, std::string host, std::vector<net::Address> last, TimePoint now);
  DnsLookup(const DnsLookup&) = delete;
  DnsLookup& operator=(const DnsLookup&) = delete;
  ~DnsLookup();

  /// Set once it is over.
  const std::optional<Outcome>& outcome() const noexcept { return outcome_; }
  /// What it waits for, and how long at most.
  const std::vector<pollfd>& descriptors() const noexcept { return descriptors_; }
  Duration wait(TimePoint now) const;
  /// @param ready descriptors() with what poll() said of them.
  void turn(const std::vector<pollfd>& ready, TimePoint now);

 private:
  void ask(int family);
  void answered(int status, const ares_addrinfo* answer);
  void answered_again(int status, const ares_addrinfo* answer);
  void take(const ares_addrinfo& answer);
  bool lacks(int family) const;
  void finish(Resolved result, std::string why);
  void watch(int descriptor, bool readable, bool writable);

  const std::string host_;
  const std::vector<net::Address> last_;
  const TimePoint ends_;
  ares_channeldata* channel_ = nullptr;
  std::vector<pollfd> descriptors_;
  std::vector<net::Address> found_;
  Duration ttl_;
  int family_ = 0;             // that is asked for; AF_UNSPEC: both
  int missing_ = 0;            // the family to be asked for alone
  bool asked_servers_ = false;
  bool over_ = false;          // it is being destroyed
  std::optional<Outcome> outcome_;
};

}  // namespace tidegate::upstream
