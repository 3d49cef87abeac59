// Unix-domain sockets: whose file may be replaced, its mode, its end, one socket for several workers, and streams over them.
#include "net/unix_socket.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "net/listener.h"
#include "net/loop.h"

namespace tidegate::net::test {
namespace {

namespace fs = std::filesystem;

class UnixSocket : public testing::Test {
 protected:
  UnixSocket() {
    char name[] = "/tmp/tidegate-unit-XXXXXX";
    folder_ = ::mkdtemp(name);
    path_ = folder_ + "/a.sock";
    address_ = *make_address("unix:" + path_, 0);
  }
  ~UnixSocket() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  std::string failure() const {
    try {
      ::close(listen_unix(address_, std::nullopt));
    } catch (const std::system_error& error) {
      return error.what();
    }
    return {};
  }
  std::string folder_, path_;
  Address address_;
};

int connect_to(const Address& address) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(descriptor, address.get(), address.length) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

TEST_F(UnixSocket, ThatNobodyListensOnAnyMoreIsReplaced) {
  ::close(listen_unix(address_, std::nullopt));
  ASSERT_TRUE(fs::is_socket(path_)) << "the file outlives the socket";
  const int descriptor = listen_unix(address_, std::nullopt);
  const int client = connect_to(address_);
  EXPECT_GE(client, 0);
  ::close(client);
  ::close(descriptor);
}

TEST_F(UnixSocket, ThatSomebodyListensOnIsLeftAlone) {
  const int descriptor = listen_unix(address_, std::nullopt);
  EXPECT_EQ(failure(), "cannot listen on unix:" + path_ + ": Address already in use");
  EXPECT_TRUE(fs::is_socket(path_));
  const int client = connect_to(address_);
  EXPECT_GE(client, 0);
  ::close(client);
  ::close(descriptor);
}

TEST_F(UnixSocket, WithAFullBacklogIsInUse) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(descriptor, address_.get(), address_.length), 0);
  ASSERT_EQ(::listen(descriptor, 0), 0);
  std::vector<int> waiting;
  for (;;) {
    const int client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    waiting.push_back(client);
    if (::connect(client, address_.get(), address_.length) != 0) break;
  }
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_FALSE(failure().empty());
  EXPECT_TRUE(fs::is_socket(path_));
  for (const int client : waiting) ::close(client);
  ::close(descriptor);
}

TEST_F(UnixSocket, IsNeverPutInThePlaceOfAnotherFile) {
  std::ofstream(path_) << "precious";
  EXPECT_TRUE(failure().find("there is a file that is not a socket") != std::string::npos) << failure();
  EXPECT_EQ(fs::file_size(path_), 8u);
  fs::remove(path_);
  fs::create_symlink("/tmp", path_);
  EXPECT_FALSE(failure().empty());
  EXPECT_TRUE(fs::is_symlink(path_));
}

TEST_F(UnixSocket, HasTheModeThatIsWanted) {
  for (const mode_t mode : {0600, 0660, 0666, 0777}) {
    const int descriptor = listen_unix(address_, mode);
    struct stat found {};
    ASSERT_EQ(::stat(path_.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, mode);
    ::close(descriptor);
  }
}

TEST_F(UnixSocket, InAFolderThatIsNotThereIsAnErrorThatNamesIt) {
  address_ = *make_address("unix:" + folder_ + "/none/a.sock", 0);
  EXPECT_EQ(failure(), "cannot listen on unix:" + folder_ + "/none/a.sock: No such file or directory");
}

TEST_F(UnixSocket, IsRemovedAtTheEndUnlessAnotherHasTakenItsPlace) {
  int descriptor = listen_unix(address_, std::nullopt);
  { const UnixSocketFile file(address_); }
  EXPECT_FALSE(fs::exists(path_));
  ::close(descriptor);

  descriptor = listen_unix(address_, std::nullopt);
  UnixSocketFile file(address_);
  UnixSocketFile moved(std::move(file));
  file.remove();
  EXPECT_TRUE(fs::exists(path_)) << "it is the other's now";
  const std::string kept = folder_ + "/kept.sock";
  fs::rename(path_, kept);  // the inode stays taken: it is not given to the next one
  const int other = listen_unix(address_, std::nullopt);
  moved.remove();
  EXPECT_TRUE(fs::is_socket(path_));
  ::close(other);
  ::close(descriptor);
}

TEST_F(UnixSocket, WithAnAbstractNameHasNoFileAndIsFreeAfterItsEnd) {
  address_ = *make_address("unix:@tidegate-unit-" + std::to_string(::getpid()), 0);
  const int descriptor = listen_unix(address_, 0600);
  const UnixSocketFile file(address_);
  EXPECT_FALSE(failure().empty());
  ::close(descriptor);
  EXPECT_EQ(failure(), "");
}

/// Counts what it accepts and keeps it open.
struct Acceptor {
  Acceptor(Loop& loop, int descriptor, std::uint32_t most)
      : reactor(loop.reactor), listener(loop.reactor, most) {
    listener.start(descriptor, Sharing::One, [this](int accepted, const Address& peer) { take(accepted, peer); });
  }
  ~Acceptor() {
    for (const int one : open) ::close(one);
  }
  void take(int accepted, const Address& peer) {
    open.push_back(accepted);
    EXPECT_EQ(text(peer), "unix:");
  }
  void end_one() {
    ::close(open.back());
    open.pop_back();
    listener.on_session_end();
  }
  Reactor& reactor;
  std::vector<int> open;
  Listener listener;
};

/// Until so many are open; the loop's own deadline ends it otherwise.
Task<> until_open(Reactor& reactor, const std::vector<int>& open, std::size_t count) {
  while (open.size() != count) co_await Pause(reactor, std::chrono::milliseconds(1));
}

Task<> share(Reactor& reactor, Acceptor& a, Acceptor& b) {
  co_await until_open(reactor, a.open, 2);
  co_await until_open(reactor, b.open, 3);
  EXPECT_EQ(a.listener.connections() + b.listener.connections(), 5u) << "the others wait in the backlog";
  a.end_one();
  co_await until_open(reactor, a.open, 2);
  a.listener.stop();  // full: it takes no more, and what is in the backlog is the other's
  b.end_one();
  co_await until_open(reactor, b.open, 3);
}

TEST_F(UnixSocket, OfSeveralWorkersIsAcceptedByThoseThatHaveRoom) {
  Loop loop;
  const int descriptor = listen_unix(address_, std::nullopt);
  const int copy = Listener::duplicate(descriptor);
  Acceptor a(loop, descriptor, 2), b(loop, copy, 3);
  std::vector<int> clients;
  for (int i = 0; i < 7; ++i) clients.push_back(connect_to(address_));
  loop.run(share(loop.reactor, a, b));
  for (const int client : clients) ::close(client);
}

TEST_F(UnixSocket, ThatOneWorkerHasClosedIsStillAcceptedByTheOthers) {
  Loop loop;
  const int descriptor = listen_unix(address_, std::nullopt);
  const int copy = Listener::duplicate(descriptor);
  Acceptor a(loop, descriptor, 100), b(loop, copy, 100);
  a.listener.stop();
  std::vector<int> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(connect_to(address_));
  loop.run(until_open(loop.reactor, b.open, 20));
  EXPECT_TRUE(a.open.empty());
  for (const int client : clients) ::close(client);
}

Task<> exchange(Stream& client, const Address& to, std::string& answer) {
  const IoStatus connected = co_await client.connect(to, kLong);
  EXPECT_EQ(connected, IoStatus::Ok);
  std::string hello = "hello";
  const iovec part{hello.data(), hello.size()};
  const IoResult sent = co_await client.send({&part, 1}, kLong);
  EXPECT_EQ(sent.bytes, 5u);
  char space[16];
  const IoResult read = co_await client.read(space, sizeof space, kLong);
  answer.assign(space, read.bytes);
  const IoResult end = co_await client.read(space, sizeof space, kLong);
  EXPECT_EQ(end.status, IoStatus::Eof);
}

Task<> echo(Acceptor& server, Stream& stream) {
  co_await until_open(server.reactor, server.open, 1);
  EXPECT_TRUE(stream.adopt(::dup(server.open.front())));
  char space[16];
  const IoResult read = co_await stream.read(space, sizeof space, kLong);
  const iovec part{space, read.bytes};
  const IoResult sent = co_await stream.send({&part, 1}, kLong);
  EXPECT_EQ(sent.status, IoStatus::Ok);
  stream.shutdown_send();
}

TEST_F(UnixSocket, CarriesAStream) {
  Loop loop;
  const int descriptor = listen_unix(address_, std::nullopt);
  Acceptor server(loop, descriptor, 10);
  Stream client(loop.reactor), other(loop.reactor);
  std::string answer;
  std::vector<Task<>> tasks;
  tasks.push_back(exchange(client, address_, answer));
  tasks.push_back(echo(server, other));
  loop.run(std::move(tasks));
  EXPECT_EQ(answer, "hello");
}

}  // namespace
}  // namespace tidegate::net::test
