#include "forward/date_line.h"

#include <cstring>

namespace tidegate::forward {

namespace {

void put_two(char* to, unsigned number) noexcept {
  to[0] = static_cast<char>('0' + number / 10 % 10);
  to[1] = static_cast<char>('0' + number % 10);
}

}  // namespace

void DateLine::renew(TimePoint now, std::int64_t wall_ms) noexcept {
  using namespace std::chrono;
  const sys_time<milliseconds> wall{milliseconds(wall_ms)};
  const sys_seconds second = floor<std::chrono::seconds>(wall);
  const sys_days day = floor<days>(second);
  const year_month_day date{day};
  const hh_mm_ss time{second - day};
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  std::memcpy(line_.data(), "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", line_.size());
  std::memcpy(&line_[6], &"SunMonTueWedThuFriSat"[3 * weekday(day).c_encoding()], 3);
  put_two(&line_[11], static_cast<unsigned>(date.day()));
  std::memcpy(&line_[14], &"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * (static_cast<unsigned>(date.month()) - 1)], 3);
  put_two(&line_[18], year / 100);
  put_two(&line_[20], year);
  put_two(&line_[23], static_cast<unsigned>(time.hours().count()));
  put_two(&line_[26], static_cast<unsigned>(time.minutes().count()));
  put_two(&line_[29], static_cast<unsigned>(time.seconds().count()));
  good_until_ = now + (second + std::chrono::seconds(1) - wall);
}

}  // namespace tidegate::forward
