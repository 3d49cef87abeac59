#include "privileges.h"

#include <cap-ng.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace tidegate {

namespace {

constexpr std::array<unsigned, 2> kKept{CAP_NET_BIND_SERVICE, CAP_DAC_READ_SEARCH};
constexpr std::array<capng_type_t, 5> kSets{CAPNG_EFFECTIVE, CAPNG_PERMITTED, CAPNG_INHERITABLE, CAPNG_AMBIENT, CAPNG_BOUNDING_SET};

/// Of each set what is kept and was in it. @return whether anything else was in the permitted one
bool keep_of_what_there_is() {
  std::array<std::array<bool, kKept.size()>, kSets.size()> had{};
  for (std::size_t s = 0; s < kSets.size(); ++s) {
    for (std::size_t k = 0; k < kKept.size(); ++k) had[s][k] = capng_have_capability(kSets[s], kKept[k]) != 0;
  }
  bool more = false;
  for (unsigned one = 0; one <= static_cast<unsigned>(CAP_LAST_CAP); ++one) {
    const bool is_kept = one == kKept[0] || one == kKept[1];
    more = more || (!is_kept && capng_have_capability(CAPNG_PERMITTED, one) != 0);
  }
  capng_clear(CAPNG_SELECT_ALL);
  for (std::size_t s = 0; s < kSets.size(); ++s) {
    for (std::size_t k = 0; k < kKept.size(); ++k) {
      if (had[s][k]) capng_update(CAPNG_ADD, kSets[s], kKept[k]);
    }
  }
  return more;
}

}  // namespace

std::string drop_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) throw std::runtime_error(std::string("no_new_privs: ") + std::strerror(errno));
  if (capng_get_caps_process() != 0) throw std::runtime_error("cannot read the capabilities of this process");
  const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
  const bool more = keep_of_what_there_is();
  const bool has_any = capng_have_capabilities(CAPNG_SELECT_CAPS) > CAPNG_NONE;
  if (may_bound && capng_apply(CAPNG_SELECT_BOUNDS) != 0) throw std::runtime_error("cannot bound the capabilities of this process");
  if (more && capng_apply(CAPNG_SELECT_CAPS) != 0) throw std::runtime_error("cannot give up the capabilities of this process");
  if (!more || ::geteuid() != 0) return {};
  std::string out = "runs as root, but has given up root's rights";
  if (has_any) out += " other than to listen on any port and to read any file";
  return out + ": what it writes must be its own";
}

}  // namespace tidegate
