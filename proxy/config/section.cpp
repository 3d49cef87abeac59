#include "config/section.h"

#include "config/suggest.h"
#include "config/unsupported.h"

namespace tidegate::config {

void fail_unknown_key(const Value& value, const Entry& entry, std::string_view section,
                      std::span<const std::string_view> known) {
  if (is_unsupported_key(section, entry.key.text)) return value.fail_key(entry, std::string(kNotSupported));
  value.fail_key(entry, "unknown key" + suggestion(entry.key.text, known));
}

}  // namespace tidegate::config
