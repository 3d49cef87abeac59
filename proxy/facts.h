// Hands what one folder knows to another that must not know it: the engine's status to the metrics page, the workers'
// totals to the admin API. Part of the composition root.
#pragma once

#include <optional>
#include <vector>

#include "active_config.h"
#include "admin/services.h"
#include "config/config.h"
#include "control/certificates.h"
#include "control/status.h"
#include "notify/message.h"
#include "notify/target.h"
#include "observe/health_board.h"
#include "observe/live_facts.h"
#include "observe/log.h"
#include "observe/metrics.h"
#include "store/store.h"
#include "upstream/policy.h"
#include "upstream/resolver.h"

namespace tidegate {

observe::LogLevel log_level(config::LogLevel level) noexcept;

observe::LiveFacts live_facts(const control::Status& status, std::uint64_t access_log_lost);
void add_targets(observe::LiveFacts& facts, const std::vector<notify::TargetStats>& targets);
void add_resolutions(observe::LiveFacts& facts, const std::vector<upstream::ClusterPolicy>& clusters,
                     const std::vector<upstream::Resolver::Counts>& counts);
/// What is known of each address of the configuration's clusters.
std::vector<admin::ClusterHealth> cluster_health(const ActiveConfig& of, const observe::HealthBoard& board, TimePoint now);
void add_endpoints(observe::LiveFacts& facts, const std::vector<admin::ClusterHealth>& clusters);
/// Forgets addresses that a cluster has no more, once all of its names are known. @param found by endpoint
void keep_known(observe::HealthBoard& board, const std::string& cluster, const std::vector<std::vector<net::Address>>& found);
std::vector<observe::HealthBoard::Cluster> judged_clusters(const config::Config& config);
void add_certificates(observe::LiveFacts& facts, const control::CertificateFacts& from);

/// What people are told of a decision; empty: nothing, as of a weight that was set by hand.
std::optional<notify::Message> notification(const store::Decision& made);

std::vector<admin::RouteTraffic> route_traffic(const observe::Metrics& metrics, const config::Config& config);

}  // namespace tidegate
