#include "handover.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

extern char** environ;

namespace tidegate {

namespace json = boost::json;

namespace {

constexpr const char* kVariable = "TIDEGATE_HANDOVER";  // the number of the descriptor that the new process inherits
constexpr int kInherited = 3;
constexpr std::uint32_t kLongest = 256u << 20;
constexpr Duration kToBegin = std::chrono::seconds(10);
constexpr Duration kToAnswer = std::chrono::seconds(30);

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

void await(int descriptor, short events, TimePoint deadline) {
  for (;;) {
    const Duration left = deadline - Clock::now();
    if (left <= Duration::zero()) fail("the other process does not answer in time");
    pollfd one{descriptor, events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count()));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) fail(std::string("poll: ") + std::strerror(errno));
  }
}

json::object parsed(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) fail("the other process does not speak as this one does");
  return std::move(value.get_object());
}

std::string text_of(const json::object& body, std::string_view name) { return std::string(body.at(name).as_string()); }

observe::HealthBoard::Record health_of(const json::object& body) {
  return {text_of(body, "cluster"),
          text_of(body, "address"),
          body.at("healthy").as_bool(),
          text_of(body, "why"),
          body.at("since_ms").as_int64(),
          std::chrono::milliseconds(body.at("ejected_for_ms").as_int64()),
          text_of(body, "ejected_why"),
          body.at("ejected_ms").as_int64()};
}

}  // namespace

json::object health_json(const observe::HealthBoard::Record& of) {
  return {{"kind", "health"},
          {"cluster", of.cluster},
          {"address", of.address},
          {"healthy", of.healthy},
          {"why", of.why},
          {"since_ms", of.since_ms},
          {"ejected_for_ms", std::chrono::duration_cast<std::chrono::milliseconds>(of.ejected_for).count()},
          {"ejected_why", of.ejected_why},
          {"ejected_ms", of.ejected_ms}};
}

// --- the channel

HandoverChannel::HandoverChannel(HandoverChannel&& from) noexcept : descriptor_(std::exchange(from.descriptor_, -1)) {}

HandoverChannel::~HandoverChannel() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool HandoverChannel::wait(Duration most) const {
  pollfd one{descriptor_, POLLIN, 0};
  return ::poll(&one, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(most).count())) > 0;
}

std::string HandoverChannel::frame(const json::object& body) {
  const std::string text = json::serialize(body);
  std::string bytes(sizeof(std::uint32_t), '\0');
  const auto size = static_cast<std::uint32_t>(text.size());
  std::memcpy(bytes.data(), &size, sizeof size);
  return bytes + text;
}

std::size_t HandoverChannel::send_some(std::string_view bytes) const {
  for (;;) {
    const ssize_t result = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (result >= 0) return static_cast<std::size_t>(result);
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) fail(std::string("the other process is gone (") + std::strerror(errno) + ")");
  }
}

bool HandoverChannel::receive_some(std::string& into) const {
  char piece[64 * 1024];
  for (;;) {
    const ssize_t result = ::recv(descriptor_, piece, sizeof piece, MSG_DONTWAIT);
    if (result > 0) return into.append(piece, static_cast<std::size_t>(result)), true;
    if (result < 0 && errno == EINTR) continue;
    if (result < 0 && errno == EAGAIN) return false;
    fail("the other process is gone");
  }
}

std::optional<json::object> HandoverChannel::take_frame(std::string& from) {
  std::uint32_t size = 0;
  if (from.size() < sizeof size) return std::nullopt;
  std::memcpy(&size, from.data(), sizeof size);
  if (size > kLongest) fail("the other process does not speak as this one does");
  if (from.size() < sizeof size + size) return std::nullopt;
  json::object body = parsed(std::string_view(from).substr(sizeof size, size));
  from.erase(0, sizeof size + size);
  return body;
}

void HandoverChannel::send(const json::object& body, TimePoint deadline, int descriptor) const {
  const std::string bytes = frame(body);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  for (std::size_t sent = 0; sent < bytes.size();) {
    iovec part{const_cast<char*>(bytes.data()) + sent, bytes.size() - sent};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (sent == 0 && descriptor >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* const header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    const ssize_t result = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (result > 0) {
      sent += static_cast<std::size_t>(result);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) fail(std::string("the other process is gone (") + std::strerror(errno) + ")");
    await(descriptor_, POLLOUT, deadline);
  }
}

HandoverChannel::Message HandoverChannel::receive(TimePoint deadline) const {
  Message out;
  std::string bytes;
  std::uint32_t size = 0;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  const auto wanted = [&] { return bytes.size() < sizeof size ? sizeof size - bytes.size() : sizeof size + size - bytes.size(); };
  while (bytes.size() < sizeof size || wanted() > 0) {
    char piece[64 * 1024];
    iovec part{piece, std::min(sizeof piece, wanted())};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t result = ::recvmsg(descriptor_, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (result < 0 && errno == EINTR) continue;
    if (result < 0 && errno == EAGAIN) {
      await(descriptor_, POLLIN, deadline);
      continue;
    }
    if (result <= 0) fail("the other process is gone");
    if (const cmsghdr* const header = CMSG_FIRSTHDR(&message); header != nullptr && header->cmsg_type == SCM_RIGHTS) {
      std::memcpy(&out.descriptor, CMSG_DATA(header), sizeof(int));
    }
    bytes.append(piece, static_cast<std::size_t>(result));
    if (bytes.size() == sizeof size && size == 0) std::memcpy(&size, bytes.data(), sizeof size);
    if (size > kLongest) fail("the other process does not speak as this one does");
  }
  out.body = parsed(std::string_view(bytes).substr(sizeof size));
  return out;
}

// --- both serve

void ChannelToOther::flush() {
  constexpr std::size_t kMost = 64u << 20;  // of what it does not take
  try {
    while (!unsent_.empty()) {
      const std::size_t sent = channel_.send_some(unsent_);
      if (sent == 0) break;
      unsent_.erase(0, sent);
    }
    if (unsent_.size() > kMost) fail("the other process takes nothing");
  } catch (const std::exception&) {
    gone_ = true;
  }
}

void ChannelToOther::tell(const json::object& what) {
  if (gone_) return;
  unsent_ += HandoverChannel::frame(what);
  flush();
}

std::vector<json::object> ChannelToOther::heard(Duration most) {
  std::vector<json::object> out;
  if (gone_) return out;
  flush();
  bool is_over = false;
  try {
    if (most > Duration::zero()) (void)channel_.wait(most);
    while (channel_.receive_some(received_)) {}
  } catch (const std::exception&) {
    is_over = true;  // it has ended, as it should in time; what it has said before counts
  }
  try {
    while (std::optional<json::object> one = HandoverChannel::take_frame(received_)) out.push_back(std::move(*one));
  } catch (const std::exception&) {
    is_over = true;
  }
  gone_ = gone_ || is_over;
  return out;
}

// --- the new process

std::optional<Predecessor> Predecessor::from_environment() {
  const char* const number = std::getenv(kVariable);
  if (number == nullptr) return std::nullopt;
  const int descriptor = std::atoi(number);
  ::unsetenv(kVariable);
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return Predecessor(HandoverChannel(descriptor));
}

std::vector<HandedSocket> Predecessor::take_sockets() {
  std::vector<HandedSocket> out;
  try {
    for (;;) {
      const HandoverChannel::Message message = channel_.receive(Clock::now() + kToBegin);
      const std::string kind = text_of(message.body, "kind");
      if (kind == "lock") lock_ = message.descriptor;
      if (kind == "name") {
        auto& [host, addresses] = names_.emplace_back(text_of(message.body, "host"), std::vector<net::Address>());
        for (const json::value& one : message.body.at("addresses").as_array()) {
          if (const auto address = net::make_address(std::string(one.as_string()), 0)) addresses.push_back(*address);
        }
      }
      if (kind == "health") health_.push_back(health_of(message.body));
      if (kind == "end") {
        pid_ = static_cast<pid_t>(message.body.at("pid").as_int64());
        return out;
      }
      if (kind != "socket") continue;
      out.push_back({message.descriptor, text_of(message.body, "listener"), text_of(message.body, "address"),
                     message.body.at("owns_file").as_bool()});
    }
  } catch (const std::exception& error) {
    for (const HandedSocket& one : out) ::close(one.descriptor);
    fail(std::string("cannot take over: ") + error.what());
  }
}

json::object Predecessor::take_state() {
  channel_.send({{"kind", "ready"}}, Clock::now() + kToBegin);
  return channel_.receive(Clock::now() + kToAnswer).body;
}

void Predecessor::tell_serving(const std::vector<std::string>& left) {
  json::array names;
  for (const std::string& one : left) names.emplace_back(one);
  channel_.send({{"kind", "serving"}, {"left", std::move(names)}}, Clock::now() + kToBegin);
}

// --- the old process

/// The new one begins as if it had been started by a shell: no signal is blocked, and nothing of this process is open but the
/// channel, which it inherits, and the standard descriptors.
HandoverChannel Successor::start(const std::string& program, const std::vector<std::string>& arguments, pid_t& pid) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail(std::string("socketpair: ") + std::strerror(errno));
  HandoverChannel ours(ends[0]);
  const HandoverChannel theirs(ends[1]);
  std::vector<std::string> texts;
  for (char** one = environ; *one != nullptr; ++one) {
    const std::string_view variable(*one);
    const bool is_own = variable.starts_with("WATCHDOG_PID=") || variable.starts_with("LISTEN_");
    if (!is_own) texts.emplace_back(variable);
  }
  texts.push_back(std::string(kVariable).append("=").append(std::to_string(kInherited)));
  std::vector<char*> environment, argument_list{const_cast<char*>(program.c_str())};
  for (std::string& text : texts) environment.push_back(text.data());
  environment.push_back(nullptr);
  for (const std::string& one : arguments) argument_list.push_back(const_cast<char*>(one.c_str()));
  argument_list.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  // Also when both are the same number: adddup2 then clears close-on-exec.
  ::posix_spawn_file_actions_adddup2(&files, ends[1], kInherited);
  ::posix_spawn_file_actions_addclosefrom_np(&files, kInherited + 1);  // Asio's sockets are not close-on-exec
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGXFSZ);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int error = ::posix_spawn(&pid, program.c_str(), &files, &attributes, argument_list.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) fail("cannot start " + program + ": " + std::strerror(error));
  return ours;
}

Successor::Successor(const std::string& program, const std::vector<std::string>& arguments)
    : channel_(start(program, arguments, pid_)) {}

std::string Successor::end(bool at_once) {
  if (pid_ == 0) return {};
  const int looks = at_once ? 5 : 50;
  constexpr useconds_t kLookUs = 20'000;  // it may be about to say why
  int status = 0;
  pid_t ended = 0;
  for (int i = 0; i < looks && ended == 0; ++i) {
    ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == 0) ::usleep(kLookUs);
  }
  const pid_t pid = std::exchange(pid_, 0);
  if (ended == 0) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    return "it was killed";
  }
  if (WIFEXITED(status)) return "it ended with " + std::to_string(WEXITSTATUS(status));
  return "it was ended by signal " + std::to_string(WTERMSIG(status));
}

Successor::~Successor() { end(false); }

}  // namespace tidegate
