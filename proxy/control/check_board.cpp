#include "control/check_board.h"

#include <algorithm>

namespace tidegate::control {

CheckRole role(const check::CheckPolicy& check) noexcept {
  const auto* const hook = std::get_if<check::WebhookCheck>(&check.what);
  if (hook == nullptr) return CheckRole::Always;
  switch (hook->type) {
    case check::WebhookType::ConfirmRollout:
    case check::WebhookType::PreRollout: return CheckRole::BeforeStart;
    case check::WebhookType::ConfirmTrafficIncrease: return CheckRole::BeforeIncrease;
    case check::WebhookType::ConfirmPromotion: return CheckRole::BeforePromotion;
    case check::WebhookType::PostRollout: return CheckRole::AtEnd;
    case check::WebhookType::Event: return CheckRole::AtEvent;
    case check::WebhookType::Rollout:
    case check::WebhookType::Rollback: return CheckRole::Always;
  }
  return CheckRole::Always;
}

const check::CheckPolicy* CheckBoard::find(const std::string& name) const noexcept {
  const auto found = std::find_if(policies_->begin(), policies_->end(), [&](const auto& one) { return one.name == name; });
  return found == policies_->end() ? nullptr : &*found;
}

void CheckBoard::configure(const std::vector<check::CheckPolicy>& policies) {
  policies_ = &policies;
  for (Entry& entry : entries_) {
    const check::CheckPolicy* const now = find(entry.name);
    const bool same = now != nullptr && entry.policy != nullptr && *now == *entry.policy;
    if (!same) entry = Entry{entry.name, now};
    entry.policy = now;
  }
}

void CheckBoard::begin_step() { entries_.clear(); }

void CheckBoard::tick(TimePoint now, const std::vector<std::string>& names, const Ask& ask) {
  for (const std::string& name : names) {
    auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& one) { return one.name == name; });
    if (entry == entries_.end()) entry = entries_.insert(entries_.end(), Entry{name, find(name)});
    if (entry->policy == nullptr || entry->asking || now < entry->next || !ask) continue;
    entry->asking = true;
    entry->serial = ++serial_;
    ask(*entry->policy, [this, name, serial = entry->serial](const check::Answer& answer) { answered(name, serial, answer); });
  }
}

void CheckBoard::note_told(const std::string& name, gate::Verdict verdict) { count(name, verdict); }

void CheckBoard::answered(const std::string& name, std::uint64_t serial, const check::Answer& answer) {
  count(name, answer.verdict);
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& one) { return one.name == name; });
  if (entry == entries_.end() || entry->serial != serial) return;  // asked in a step that is over
  entry->asking = false;
  entry->next = Clock::now() + entry->policy->interval;
  entry->answer = answer;
  if (answer.verdict == gate::Verdict::Pass) entry->failures = 0;
  if (answer.verdict == gate::Verdict::Fail) ++entry->failures;
}

void CheckBoard::count(const std::string& name, gate::Verdict verdict) {
  auto row = std::find_if(counts_.begin(), counts_.end(), [&](const Count& one) { return one.check == name; });
  if (row == counts_.end()) row = counts_.insert(counts_.end(), Count{name});
  ++row->verdicts[static_cast<std::size_t>(verdict)];
}

namespace {

constexpr std::string_view kGone = "the configuration does not have it any more";

}  // namespace

rollout::CheckAnswer CheckBoard::said(const Entry& entry) {
  if (entry.policy == nullptr) return {entry.name, gate::Verdict::Error, std::string(kGone)};
  if (!entry.answer) return {entry.name};
  return {entry.name, entry.answer->verdict, entry.answer->sentence};
}

std::vector<rollout::CheckAnswer> CheckBoard::answers(const std::vector<std::string>& names) const {
  std::vector<rollout::CheckAnswer> out;
  for (const std::string& name : names) {
    const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& one) { return one.name == name; });
    out.push_back(entry == entries_.end() ? rollout::CheckAnswer{name} : said(*entry));
  }
  return out;
}

std::optional<CheckBoard::Failure> CheckBoard::failure() const {
  for (const Entry& entry : entries_) {
    if (entry.policy == nullptr || entry.failures < entry.policy->failures) continue;
    return Failure{entry.policy, entry.answer ? entry.answer->sentence : std::string()};
  }
  return std::nullopt;
}

std::vector<CheckBoard::Row> CheckBoard::rows() const {
  std::vector<Row> out;
  for (const Entry& entry : entries_) {
    out.push_back({said(entry), entry.failures, entry.policy != nullptr ? entry.policy->failures : 0});
  }
  return out;
}

}  // namespace tidegate::control
