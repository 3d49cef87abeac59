// The bounds of what the loader reads, by name (STYLE §3.9). They are far above any sensible file (a thousand routes
// are about 1 MiB and 100,000 nodes) and keep a hostile or damaged one from costing more than some 100 MiB for a
// moment. What is over is refused with a problem, never cut. The ranges of single keys stand beside the keys in
// section_*.cpp.
#pragma once

#include <cstddef>

namespace tidegate::config {

inline constexpr std::size_t kFileBytes = 4u << 20;      ///< the file as written
inline constexpr std::size_t kNodes = 500'000;           ///< scalars, sequences and mappings together
inline constexpr std::size_t kDepth = 24;                ///< nesting; the deepest supported key needs 6
inline constexpr std::size_t kKeyBytes = 256;            ///< a key; paths in messages are made of keys
inline constexpr std::size_t kScalarBytes = 64 * 1024;   ///< a value, before and after ${ENV} is expanded
inline constexpr std::size_t kExpandedBytes = 4u << 20;  ///< what all ${ENV} of a file may add together
inline constexpr std::size_t kNameBytes = 64;            ///< names of listeners, clusters, routes: labels and URL parts
inline constexpr std::size_t kTokenFileBytes = 256 * 1024;  ///< the file of admin.token_file
inline constexpr std::size_t kTokens = 256;              ///< in it: each request is compared with all
inline constexpr std::size_t kTokenBytes = 1'024;        ///< far below the head that the admin API takes
inline constexpr std::size_t kGoodTokenBytes = 16;       ///< fewer is a warning
inline constexpr std::size_t kProblems = 1'000;          ///< reported at once; the rest is a number

}  // namespace tidegate::config
