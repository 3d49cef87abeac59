// Moving bytes from socket to socket through a pipe: exactly so many, no pipe held without bytes in it, none lent again with
// bytes in it, and what happens where there is no pipe or no splice().
#include <gtest/gtest.h>

#include <functional>
#include <list>

#include "net/loop.h"
#include "net/splice_faults.h"

namespace tidegate::net::test {
namespace {

class Splice : public ::testing::Test {
 protected:
  void SetUp() override { faults = {}; }
  void TearDown() override { faults = {}; }

  PipePool& pool() { return loop.reactor.pipes(); }
  /// Into a pipe of its own, which stays.
  IoResult read(SplicePipe& pipe, std::size_t most, Duration timeout = kLong) {
    IoResult result;
    loop.run([](Stream& from, SplicePipe& to, std::size_t bytes, Duration limit, IoResult& r) -> Task<> {
      r = co_await from.read(to, bytes, limit);
    }(source.stream, pipe, most, timeout, result));
    return result;
  }
  IoResult send(SplicePipe& pipe, Duration timeout = kLong) {
    IoResult result;
    loop.run([](Stream& to, SplicePipe& from, Duration limit, IoResult& r) -> Task<> {
      r = co_await to.send(from, limit);
    }(sink.stream, pipe, timeout, result));
    return result;
  }
  IoResult read_plainly(std::string& to) {
    IoResult result;
    char space[64];
    loop.run([](Stream& from, char* at, std::size_t most, IoResult& r) -> Task<> {
      r = co_await from.read(at, most, kLong);
    }(source.stream, space, sizeof space, result));
    to.assign(space, result.bytes);
    return result;
  }
  std::string at_sink() {
    char space[64];
    const ssize_t n = ::recv(sink.peer, space, sizeof space, 0);
    return {space, n > 0 ? static_cast<std::size_t>(n) : 0};
  }

  Loop loop;
  Wire source{loop};
  Wire sink{loop};
};

TEST_F(Splice, BytesGoThroughAndThoseBeyondTheBoundStayInTheSocket) {
  source.write("body;next");
  SplicePipe pipe(pool());
  const IoResult in = read(pipe, 5);
  EXPECT_EQ(in.status, IoStatus::Ok);
  EXPECT_EQ(in.bytes, 5u);
  const IoResult out = send(pipe);
  EXPECT_EQ(out.status, IoStatus::Ok);
  EXPECT_EQ(out.bytes, 5u);
  EXPECT_EQ(at_sink(), "body;");
  std::string rest;
  EXPECT_EQ(read_plainly(rest).status, IoStatus::Ok);
  EXPECT_EQ(rest, "next");
}

TEST_F(Splice, AStreamReadToABoundIsQuietOnlyWhenNothingIsBehindIt) {
  source.write("bodyx");
  SplicePipe pipe(pool());
  EXPECT_EQ(read(pipe, 4).bytes, 4u);
  source.stream.look_for_more();
  EXPECT_FALSE(source.stream.is_quiet());
  send(pipe);
  EXPECT_EQ(read(pipe, 1).bytes, 1u);
  EXPECT_FALSE(source.stream.is_quiet());  // nobody has looked
  source.stream.look_for_more();
  EXPECT_TRUE(source.stream.is_quiet());
}

TEST_F(Splice, WhileNothingIsThereNoPipeIsHeld) {
  std::size_t lent = 99;
  IoResult result;
  SplicePipe pipe(pool());
  std::vector<Task<>> tasks;
  tasks.push_back([](Stream& from, SplicePipe& to, IoResult& r) -> Task<> {
    r = co_await from.read(to, 100, kLong);
    EXPECT_FALSE(to.empty());
  }(source.stream, pipe, result));
  tasks.push_back([](Loop& on, Wire& w, PipePool& pipes, std::size_t& seen) -> Task<> {
    co_await Pause(on.reactor, kShort);
    seen = pipes.lent();
    w.write("abc");
  }(loop, source, pool(), lent));
  loop.run(std::move(tasks));
  EXPECT_EQ(lent, 0u);
  EXPECT_EQ(result.bytes, 3u);
  EXPECT_EQ(pool().lent(), 1u);
}

TEST_F(Splice, AnEmptyPipeIsLentAgainAndOneWithBytesIsClosed) {
  source.write("abc");
  {
    SplicePipe pipe(pool());
    read(pipe, 3);
    send(pipe);
  }
  EXPECT_EQ(pool().idle(), 1u);
  EXPECT_EQ(pool().lent(), 0u);
  source.write("def");
  {
    SplicePipe pipe(pool());
    EXPECT_EQ(read(pipe, 3).bytes, 3u);
    EXPECT_EQ(pool().idle(), 0u);
  }
  EXPECT_EQ(pool().idle(), 0u);
  EXPECT_EQ(pool().lent(), 0u);
}

TEST_F(Splice, OnlySoManyPipesAreLentAndTheNextOneCopies) {
  std::list<SplicePipe> held;
  for (std::size_t i = 0; i < PipePool::kPipes; ++i) EXPECT_TRUE(held.emplace_back(pool()).ensure());
  source.write("abc");
  SplicePipe pipe(pool());
  EXPECT_EQ(read(pipe, 3).status, IoStatus::NotSpliced);
  std::string text;
  EXPECT_EQ(read_plainly(text).bytes, 3u);
  held.clear();
  EXPECT_EQ(pool().idle(), PipePool::kPipes);
  EXPECT_TRUE(pipe.ensure());
}

TEST_F(Splice, WithoutDescriptorsForAPipeTheBytesAreLeftForARead) {
  faults.no_pipes = true;
  source.write("abc");
  SplicePipe pipe(pool());
  EXPECT_EQ(read(pipe, 3).status, IoStatus::NotSpliced);
  std::string text;
  read_plainly(text);
  EXPECT_EQ(text, "abc");
  faults.no_pipes = false;
  EXPECT_TRUE(pipe.ensure());  // not for ever
}

TEST_F(Splice, APipeThatCannotBeMadeLargerWillDoAndATinyOneWillNot) {
  faults.pipe_bytes = PipePool::kLeastPipeBytes;
  EXPECT_TRUE(SplicePipe(pool()).ensure());
  loop.reactor.pipes().discard(pool().take());  // the idle one
  faults.pipe_bytes = 8192;
  EXPECT_FALSE(SplicePipe(pool()).ensure());
  EXPECT_EQ(pool().lent(), 0u);
}

TEST_F(Splice, AKernelThatDoesNotSpliceIsAskedOnce) {
  for (const int error : {EINVAL, ENOSYS, EPERM, EACCES}) {
    Loop another;
    Wire wire(another);
    wire.write("abc");
    SplicePipe pipe(another.reactor.pipes());
    IoResult result;
    faults = {};
    faults.fails_at = 0;
    faults.error = error;
    for (int i = 0; i < 2; ++i) {
      another.run([](Stream& from, SplicePipe& to, IoResult& r) -> Task<> {
        r = co_await from.read(to, 3, kLong);
      }(wire.stream, pipe, result));
      EXPECT_EQ(result.status, IoStatus::NotSpliced);
    }
    EXPECT_EQ(faults.calls, 1) << error;
  }
}

TEST_F(Splice, AnErrorOfTheConnectionIsAResetAndAnInterruptionNothing) {
  source.write("abc");
  faults.fails_at = 0;
  faults.error = EINTR;
  SplicePipe pipe(pool());
  EXPECT_EQ(read(pipe, 1).bytes, 1u);
  faults.fails_at = faults.calls;
  EXPECT_EQ(send(pipe).bytes, 1u);
  faults.fails_at = faults.calls;
  faults.error = ECONNRESET;
  EXPECT_EQ(read(pipe, 1).status, IoStatus::Reset);
  EXPECT_EQ(source.stream.error_number(), ECONNRESET);
}

TEST_F(Splice, WhatASinkDoesNotTakeFromAPipeCanBeTakenOutOfIt) {
  source.write("abc");
  SplicePipe pipe(pool());
  read(pipe, 3);
  faults.fails_at = faults.calls;
  faults.error = EINVAL;
  const IoResult out = send(pipe);
  EXPECT_EQ(out.status, IoStatus::NotSpliced);
  EXPECT_EQ(out.bytes, 0u);
  Buffer taken(loop.reactor.blocks());
  EXPECT_TRUE(pipe.empty_to(taken));
  EXPECT_EQ(taken.view(), "abc");
  EXPECT_TRUE(pipe.empty());
}

TEST_F(Splice, TheEndAndAResetAreLeftForAReadToTell) {
  source.end();
  SplicePipe pipe(pool());
  EXPECT_EQ(read(pipe, 3).status, IoStatus::NotSpliced);
  std::string text;
  EXPECT_EQ(read_plainly(text).status, IoStatus::Eof);
  EXPECT_EQ(pool().lent(), 0u);
}

TEST_F(Splice, AnUrgentByteIsLeftForAReadThatSkipsIt) {
  source.write("a");
  EXPECT_EQ(::send(source.peer, "!", 1, MSG_OOB), 1);
  source.write("b");
  SplicePipe pipe(pool());
  EXPECT_EQ(read(pipe, 10).bytes, 1u);
  send(pipe);
  EXPECT_EQ(read(pipe, 10).status, IoStatus::NotSpliced);
  std::string text;
  read_plainly(text);
  EXPECT_EQ(text, "b");
}

/// So much that the sink is full and the pipe is not empty.
Task<> fill_both(Stream& from, Stream& to, SplicePipe& pipe, Duration timeout, IoResult& result) {
  do {
    const IoResult in = co_await from.read(pipe, 1 << 20, kLong);
    EXPECT_EQ(in.status, IoStatus::Ok);
    result = co_await to.send(pipe, timeout);
  } while (result.status == IoStatus::Ok);
}

Task<> pour(Stream& to) {
  std::string text(256 << 10, 'x');
  const iovec part{text.data(), text.size()};
  for (;;) {
    const IoResult sent = co_await to.send({&part, 1}, kLong);
    if (sent.status != IoStatus::Ok) co_return;
  }
}

TEST_F(Splice, ASinkThatStopsTakingTimesOutAndThePipeIsClosed) {
  Stream feeder(loop.reactor);
  ASSERT_TRUE(feeder.adopt(std::exchange(source.peer, -1)));
  IoResult result;
  const TimePoint begun = Clock::now();
  {
    SplicePipe pipe(pool());
    std::vector<Task<>> tasks;
    tasks.push_back([](Stream& from, Stream& to, SplicePipe& p, IoResult& r, Stream& other) -> Task<> {
      co_await fill_both(from, to, p, kShort, r);
      other.cancel();
    }(source.stream, sink.stream, pipe, result, feeder));
    tasks.push_back(pour(feeder));
    loop.run(std::move(tasks));
    EXPECT_FALSE(pipe.empty());
  }
  EXPECT_EQ(result.status, IoStatus::TimedOut);
  EXPECT_GE(Clock::now() - begun, kShort);
  EXPECT_EQ(pool().idle() + pool().lent(), 0u);
}

TEST_F(Splice, CancelEndsASendThatWaitsAndAReadThatWaits) {
  Stream feeder(loop.reactor);
  ASSERT_TRUE(feeder.adopt(std::exchange(source.peer, -1)));
  IoResult sent, read;
  SplicePipe pipe(pool());
  std::vector<Task<>> tasks;
  tasks.push_back([](Stream& from, Stream& to, SplicePipe& p, IoResult& s, IoResult& r) -> Task<> {
    co_await fill_both(from, to, p, kLong, s);
    p.release();
    from.cancel();
    r = co_await from.read(p, 100, kLong);
  }(source.stream, sink.stream, pipe, sent, read));
  tasks.push_back(pour(feeder));
  tasks.push_back([](Loop& on, Stream& to, Stream& other) -> Task<> {
    co_await Pause(on.reactor, kShort);
    to.cancel();
    other.cancel();
  }(loop, sink.stream, feeder));
  loop.run(std::move(tasks));
  EXPECT_EQ(sent.status, IoStatus::Canceled);
  EXPECT_EQ(read.status, IoStatus::Canceled);
}

TEST_F(Splice, ASinkThatResetsEndsTheSend) {
  source.write("abc");
  SplicePipe pipe(pool());
  read(pipe, 3);
  sink.reset_peer();
  EXPECT_EQ(send(pipe).status, IoStatus::Reset);
}

}  // namespace
}  // namespace tidegate::net::test
