#include "sockets.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "net/unix_socket.h"

namespace tidegate {

namespace {

net::Address address_of(int descriptor) {
  net::Address address;
  address.length = sizeof address.storage;
  ::getsockname(descriptor, address.get(), &address.length);
  return address;
}

bool shares_its_port(int descriptor) {
  int on = 0;
  socklen_t size = sizeof on;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, &size) == 0 && on != 0;
}

}  // namespace

HandedOver::~HandedOver() {
  for (const HandedSocket& one : sockets_) ::close(one.descriptor);
}

std::vector<HandedSocket> HandedOver::take(const std::string& listener, const config::SocketAddress& wanted) {
  const std::optional<net::Address> address = net::make_address(wanted.host, wanted.port);
  const std::string text = written(wanted);
  const auto is_for_another = [&](const HandedSocket& one) {
    const bool same = one.listener == listener && one.address == text;
    return !same && !(address && address_of(one.descriptor) == *address);
  };
  const auto taken = std::stable_partition(sockets_.begin(), sockets_.end(), is_for_another);
  std::vector<HandedSocket> out(taken, sockets_.end());
  sockets_.erase(taken, sockets_.end());
  return out;
}

void HandedOver::refuse_rest() const {
  for (const HandedSocket& one : sockets_) {
    if (!one.listener.empty()) continue;
    throw std::runtime_error("a socket was handed over for " + net::text(address_of(one.descriptor)) +
                             ", and no listener has that address");
  }
}

std::vector<std::string> HandedOver::close_rest() {
  std::vector<std::string> out;
  for (const HandedSocket& one : std::exchange(sockets_, {})) {
    ::close(one.descriptor);
    out.push_back(one.listener);
  }
  return out;
}

std::string written(const config::SocketAddress& address) {
  if (address.host.starts_with(net::kUnixPrefix)) return address.host;
  const bool bare = address.host.find(':') == std::string::npos;
  return (bare ? address.host : "[" + address.host + "]") + ":" + std::to_string(address.port);
}

OpenedListener::OpenedListener(OpenedListener&& from) noexcept
    : address(std::move(from.address)),
      sharing(from.sharing),
      file(std::exchange(from.file, std::nullopt)),
      handed(from.handed),
      descriptors_(std::exchange(from.descriptors_, {})) {}

OpenedListener::~OpenedListener() {
  const bool was_taken = std::all_of(descriptors_.begin(), descriptors_.end(), [](const auto& one) { return one.empty(); });
  if (file && !handed && !was_taken) net::UnixSocketFile(*file).remove();
  for (const std::vector<int>& of_worker : descriptors_) {
    for (const int descriptor : of_worker) ::close(descriptor);
  }
}

std::vector<int> OpenedListener::take(std::size_t worker) { return std::exchange(descriptors_[worker], {}); }

void OpenedListener::share(int descriptor, const net::Address& of, std::size_t workers) {
  address = net::text(of);
  sharing = net::Sharing::One;
  descriptors_.push_back({descriptor});
  while (descriptors_.size() < workers) descriptors_.push_back({net::Listener::duplicate(descriptor)});
}

OpenedListener OpenedListener::open(const config::Listener& from, std::size_t workers, HandedOver& handed_over, bool in_use) {
  const config::SocketAddress& wanted = from.address;
  OpenedListener opened;
  std::optional<net::Address> address = net::make_address(wanted.host, wanted.port);
  if (!address) throw std::runtime_error("not an address: " + wanted.host);
  const std::vector<HandedSocket> handed = handed_over.take(from.name, wanted);
  if (handed.size() == 1 && (workers == 1 || net::is_unix(*address) || !shares_its_port(handed.front().descriptor))) {
    const net::Address bound = address_of(handed.front().descriptor);
    opened.share(handed.front().descriptor, bound, workers);
    if (handed.front().owns_file) opened.file = bound;
    opened.handed = true;
    return opened;
  }
  if (net::is_unix(*address)) {
    opened.share(net::listen_unix(*address, from.mode), *address, workers);
    opened.file = *address;
    return opened;
  }
  if (wanted.port != 0 && !in_use && handed.empty()) net::Listener::check_free(*address);
  opened.descriptors_.resize(workers);
  for (std::size_t i = 0; i < handed.size(); ++i) opened.descriptors_[i % workers].push_back(handed[i].descriptor);  // none of them may be left: it has a queue
  if (!handed.empty()) *address = address_of(handed.front().descriptor);
  for (std::vector<int>& of_worker : opened.descriptors_) {
    if (of_worker.empty()) of_worker.push_back(net::Listener::open(*address));
    *address = address_of(of_worker.front());
  }
  opened.address = net::text(*address);
  return opened;
}

}  // namespace tidegate
