// Numbers with and without units, as PRODUCT §2 writes them. One grammar for all: decimal digits, at most one point, no
// sign, exponent, underscore or leading zero (0777 is octal to some readers and decimal to others, so it is neither).
// Pure; ranges are the caller's (read.h).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/weight.h"
#include "config/parsed.h"

namespace tidegate::config {

/// "250ms" "5s" "1.5m" "1h" "7d". A number without a unit is refused: nobody knows which unit was meant.
Parsed<Duration> parse_duration(std::string_view text);

/// "64KiB" "1.5MiB" "2GiB" "512B"; a plain integer is bytes. Decimal units (KB, M) are refused, they mean two things.
Parsed<std::uint64_t> parse_size(std::string_view text);

/// "10" or "10%" is 0.1; "0.5%" is 0.005. 0..100 %.
Parsed<double> parse_share(std::string_view text);

/// The same in steps of 0.01 %.
Parsed<Weight> parse_weight(std::string_view text);

/// "500/s"; decimals are allowed.
Parsed<double> parse_rate(std::string_view text);

Parsed<std::uint64_t> parse_integer(std::string_view text);
Parsed<double> parse_number(std::string_view text);

/// `true` or `false`, nothing else: `yes`, `on` and `1` are refused.
Parsed<bool> parse_bool(std::string_view text);

}  // namespace tidegate::config
