// Listening on a unix-domain socket. SO_REUSEPORT does not exist for them: there is one socket, of which every worker has
// a descriptor (net/listener.h, Sharing::One).
//
// A path outlives the process that made it. One that nobody listens on any more is replaced; one that answers, or that is
// no socket at all, is left alone and an error. The composition root removes the file at a clean end.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "net/address.h"

namespace tidegate::net {

/// @param mode of the file, set before anybody can connect; empty: what the umask leaves. For paths only.
/// @throws std::system_error naming the address.
int listen_unix(const Address& address, std::optional<mode_t> mode);

/// The file of a listening socket. Removed at the end, unless another has taken its place meanwhile. An abstract name has
/// none. Any thread, one at a time.
class UnixSocketFile {
 public:
  /// @param bound the address of a socket that listens.
  explicit UnixSocketFile(const Address& bound);
  UnixSocketFile(UnixSocketFile&& from) noexcept;
  UnixSocketFile& operator=(UnixSocketFile&&) = delete;
  ~UnixSocketFile() { remove(); }

  /// New connections find nothing here; those in the backlog are not affected.
  void remove() noexcept;
  /// It is another process's from here on.
  void release() noexcept { path_.clear(); }

 private:
  std::string path_;  // empty: nothing to remove
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace tidegate::net
