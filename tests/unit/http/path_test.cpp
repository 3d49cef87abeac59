#include "http/path.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace tidegate::http {
namespace {

constexpr PathPolicy policy(DotSegments dots, bool merge = false, EscapedSlashes slashes = EscapedSlashes::Keep, bool decode = false) {
  PathPolicy out;
  out.dot_segments = dots;
  out.merge_slashes = merge;
  out.escaped_slashes = slashes;
  out.decode_unreserved = decode;
  return out;
}

constexpr PathPolicy kDefault{};
constexpr PathPolicy kRemove = policy(DotSegments::Remove);
constexpr PathPolicy kMerge = policy(DotSegments::Keep, true);
constexpr PathPolicy kRemoveAndMerge = policy(DotSegments::Remove, true);
constexpr PathPolicy kDecodeSlashes = policy(DotSegments::Remove, false, EscapedSlashes::Decode);
constexpr PathPolicy kRejectSlashes = policy(DotSegments::Keep, false, EscapedSlashes::Reject);
constexpr PathPolicy kUnreserved = policy(DotSegments::Keep, false, EscapedSlashes::Keep, true);
constexpr PathPolicy kEdge = policy(DotSegments::Remove, true, EscapedSlashes::Decode, true);

/// The target as it is afterwards, or the refusal; then the bytes must be as they were.
std::string normalised(std::string_view target, const PathPolicy& with) {
  std::string bytes(target);
  std::size_t size = bytes.size();
  const Refusal refusal = normalise_target(bytes.data(), size, with);
  if (!refusal) return bytes.substr(0, size);
  EXPECT_EQ(bytes, target);
  EXPECT_EQ(size, target.size());
  EXPECT_EQ(refusal.status, 400);
  return std::string(refusal.reason);
}

struct Case {
  std::string_view from, to;
};

void expect_all(const PathPolicy& with, std::initializer_list<Case> cases) {
  for (const Case& one : cases) EXPECT_EQ(normalised(one.from, with), one.to) << one.from;
}

constexpr std::string_view kDots = "dot segment in the path";
constexpr std::string_view kAmbiguous = "ambiguous dot segment in the path";
constexpr std::string_view kClimbs = "path climbs above the root";
constexpr std::string_view kEscape = "malformed escape in the path";
constexpr std::string_view kSlash = "escaped slash in the path";
constexpr std::string_view kNul = "escaped NUL in the path";

TEST(Path, IsPlainWhereNoPolicyWouldTouchIt) {
  for (const std::string_view path : {"/", "/a", "/a/", "*", "", "/index.html", "/v1.2/a..b/c.", "/a/b/c/d/e/f/g", "/;p=1", "/12345678",
                                      "/1234567890abcdef/.."}) {
    const bool plain = path.find("/.") == std::string_view::npos;
    EXPECT_EQ(has_plain_path(path), plain) << path;
  }
}

TEST(Path, IsNotPlainWhereverTheTroubleIs) {
  for (const std::string_view trouble : {"%", "\\", "//", "/."}) {
    for (std::size_t before = 0; before < 40; ++before) {
      for (std::size_t after = 0; after < 20; ++after) {
        const std::string clean = '/' + std::string(before, 'a') + "xy" + std::string(after, 'b');
        EXPECT_TRUE(has_plain_path(clean)) << clean;
        EXPECT_TRUE(has_plain_path(clean + '?' + std::string(trouble))) << clean;
        EXPECT_FALSE(has_plain_path('/' + std::string(before, 'a') + std::string(trouble) + std::string(after, 'b'))) << trouble << before;
      }
    }
  }
}

TEST(Path, IsNotChangedByTheDefaults) {
  for (const std::string_view target : {"/", "/a//b", "/a%2Fb", "/a%2fb%5cc", "/%7Ea", "/%zz%", "/a\\b", "/.well-known/x", "/...", "/a/..b/.c",
                                        "/a?x=/../y", "/?/./", "*", "/%e4%bd%a0"}) {
    EXPECT_EQ(normalised(target, kDefault), target);
  }
}

TEST(Path, WithDotSegmentsIsRefusedByTheDefaults) {
  for (const std::string_view target : {"/.", "/..", "/./", "/a/../b", "/a/./b", "/a/..", "/a/%2e%2E/b", "/a/.%2e", "/a/%2E?x", "/a/..%2fb", "/a%5c..\\b",
                                        "/a%2F..", "/a\\..", "/a/..;/b", "/a/.;x=1/b", "/..;", "/..%3bx"}) {
    EXPECT_EQ(normalised(target, kDefault), kDots) << target;
  }
}

TEST(Path, LosesItsDotSegmentsAsRfc3986Says) {
  expect_all(kRemove, {
      {"/a/b/c/./../../g", "/a/g"},  // §5.2.4
      {"/a/.", "/a/"}, {"/a/..", "/"}, {"/a/b/..", "/a/"}, {"/./a", "/a"}, {"/.", "/"}, {"/a/../", "/"}, {"/a/./", "/a/"},
      {"/a/%2e%2e/b", "/b"}, {"/a/%2E/b", "/a/b"}, {"/a/.%2e", "/"},
      {"/a/../b?c=/../d", "/b?c=/../d"}, {"/a/..?", "/?"},
      {"/a//../b", "/a/b"}, {"/a/..//b", "//b"},  // an empty segment is one
      {"/...", "/..."}, {"/a..", "/a.."}, {"/..a/b", "/..a/b"}, {"/%2e%2e%2e", "/%2e%2e%2e"},
  });
}

TEST(Path, ThatClimbsAboveTheRootIsRefused) {
  expect_all(kRemove, {{"/..", kClimbs}, {"/../a", kClimbs}, {"/a/../../b", kClimbs}, {"/./../a", kClimbs}, {"/%2e%2e/", kClimbs},
                       {"/a/b/../../c", "/c"}, {"/a/b/../../../c", kClimbs}, {"//..", "/"}});
  expect_all(kRemoveAndMerge, {{"//..", kClimbs}, {"/a//../..", kClimbs}});
  expect_all(kDecodeSlashes, {{"/a%2F..%2F..%2Fb", kClimbs}, {"/a\\..", kAmbiguous}});
}

TEST(Path, WithDotsThatOnlySomeServersSeeIsRefused) {
  expect_all(kRemove, {{"/a/..%2fb", kAmbiguous}, {"/a%2f../b", kAmbiguous}, {"/a/..\\b", kAmbiguous}, {"/a/..%5Cb", kAmbiguous},
                       {"/a/..;/b", kAmbiguous}, {"/a/.;x/b", kAmbiguous}, {"/a/...;/b", "/a/...;/b"}, {"/a\\b/../c", "/c"}});
  expect_all(kDecodeSlashes, {{"/a/..%2fb", "/b"}, {"/a%2F..", "/"}, {"/a/..%5Cb", kAmbiguous}});
}

TEST(Path, LosesEmptySegmentsBeforeDotSegmentsAreLookedAt) {
  expect_all(kMerge, {{"//", "/"}, {"//a", "/a"}, {"/a//", "/a/"}, {"///a///b///", "/a/b/"}, {"/a//..", "/a/.."}, {"/a?b//c", "/a?b//c"}});
  expect_all(kRemoveAndMerge, {{"/a//../b", "/b"}, {"/a/..//b", "/b"}, {"/a/.//b", "/a/b"}, {"//.//", "/"}, {"/a/b/..//", "/a/"}});
}

TEST(Path, HasItsEscapedSlashesKeptRefusedOrDecoded) {
  expect_all(kRejectSlashes, {{"/a%2Fb", kSlash}, {"/a%5cb", kSlash}, {"/a%252Fb", "/a%252Fb"}, {"/a?%2F", "/a?%2F"}, {"/..", "/.."}});
  expect_all(kDecodeSlashes, {{"/a%2Fb", "/a/b"}, {"/a%2f%2fb", "/a//b"}, {"/a%5Cb", "/a\\b"}, {"/a%252Fb", "/a%252Fb"}, {"/%41", "/%41"},
                              {"/%%2F2F", "/%/2F"}});
}

TEST(Path, WithAnEscapedNulIsRefusedWhateverThePolicy) {
  for (const PathPolicy& policy : {kDefault, kRemove, kRejectSlashes, kDecodeSlashes, kUnreserved, kEdge, kMerge}) {
    for (const std::string_view target : {"/%00", "/a%00.png", "/a/%00/b?c"}) EXPECT_EQ(normalised(target, policy), kNul) << target;
    for (const std::string_view target : {"/a?%00", "/%0", "/%2500"}) EXPECT_NE(normalised(target, policy), kNul) << target;
  }
}

TEST(Path, HasItsUnreservedCharactersDecodedAndOtherEscapesInUpperCase) {
  expect_all(kUnreserved, {{"/%7Ea%2d%5F%2E", "/~a-_."}, {"/%61%5a%30", "/aZ0"}, {"/%e4%bd%a0", "/%E4%BD%A0"}, {"/a%2fb", "/a%2Fb"},
                           {"/%20%25", "/%20%25"}, {"/%2541", "/%2541"}, {"/a?%7e", "/a?%7e"}, {"/%01", "/%01"}});
  expect_all(kUnreserved, {{"/%", kEscape}, {"/%4", kEscape}, {"/%zz", kEscape}, {"/%%34%31", kEscape}, {"/%?41", kEscape}});
}

TEST(Path, IsOnePathHoweverItIsWrittenWithTheSettingsOfAnEdge) {
  for (const std::string_view target : {"/admin/x", "//admin/x", "/%61dmin/x", "/./admin//x", "/b/../admin/x", "/b%2F..%2fadmin/x", "/%2Fadmin%2Fx",
                                        "/b/%2e%2e/%41/../admin/./x"}) {
    EXPECT_EQ(normalised(target, kEdge), "/admin/x") << target;
  }
}

/// All policies, over paths made of the pieces that matter.
TEST(Path, IsNormalisedOnceAndForAll) {
  constexpr std::string_view kPieces[] = {"/", "/", ".", "..", "%2e", "%2F", "%5c", "\\", "%", "%2", "a", "F", "2", ";", "%32", "%46", "%zz", "%25", "?"};
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string target = "/";
    for (std::uint32_t left = random() % 12; left > 0; --left) target += kPieces[random() % std::size(kPieces)];
    const PathPolicy with = policy(static_cast<DotSegments>(random() % 3), random() % 2 == 0, static_cast<EscapedSlashes>(random() % 3),
                                   random() % 2 == 0);
    const std::string once = normalised(target, with);
    if (!once.starts_with('/')) continue;
    ASSERT_EQ(normalised(once, with), once) << target;
    const std::string_view path = std::string_view(once).substr(0, once.find('?'));
    if (with.merge_slashes) {
      ASSERT_EQ(path.find("//"), std::string_view::npos) << target;
    }
    if (with.dot_segments != DotSegments::Keep) {
      ASSERT_EQ((std::string(path) + '/').find("/../"), std::string::npos) << target;
    }
  }
}

}  // namespace
}  // namespace tidegate::http
