// A route in the second of six steps, as GET /api/v1/routes/R gives it, to be changed by tests.
#pragma once

#include <boost/json.hpp>
#include <string>

namespace tidegate::cli {

inline boost::json::value sample_route() {
  return boost::json::parse(R"({"name": "api", "clusters": {"old": "west", "new": "east"}, "epoch": 12,
    "weight": {"file": 0, "wanted": 25, "effective": 25}, "latched": false, "latch_reason": null, "mirror": null,
    "gate": {"verdict": "inconclusive", "decision": "continue", "reason": "observing",
             "sentence": "observing: new failed 1 of 1234 requests in 12 s, old 3 of 3702 in the same time, threshold 1 %",
             "statistics": {"s_new": 1.1, "s_prom": 3.0}, "thresholds": {"h_new": 8.9, "h_prom": 4.4}},
    "traffic": {"old": {"requests": 9000, "failures": 10, "p50_ms": 1.24, "p99_ms": 81.4},
                "new": {"requests": 3000, "failures": 0, "p50_ms": 1.1, "p99_ms": 79}},
    "rollout": {"state": "running", "step": 2,
      "steps": [{"kind": "weight", "text": "weight 10 % for 5m", "weight": 10, "mirror": null, "for_s": 300, "check": null},
                {"kind": "weight", "text": "weight 25 % for 5m", "weight": 25, "mirror": null, "for_s": 300, "check": null},
                {"kind": "mirror", "text": "mirror 100 % for 10m", "weight": null, "mirror": 100, "for_s": 600, "check": null},
                {"kind": "pause", "text": "pause", "weight": null, "mirror": null, "for_s": null, "check": null},
                {"kind": "check", "text": "check smoke", "weight": null, "mirror": null, "for_s": null, "check": "smoke"},
                {"kind": "weight", "text": "weight 100 %", "weight": 100, "mirror": null, "for_s": null, "check": null}],
      "step_elapsed_s": 12.3, "bake_s": 3600, "bake_elapsed_s": 0,
      "advance": "proven", "min_requests": 0, "requests_new": 1234,
      "waiting": [{"reason": "time", "sentence": "4m 48s to go"},
                  {"reason": "evidence", "sentence": "not proven yet that new is not worse than old"}],
      "pause": null, "started_at": "2026-11-24T12:00:00.000Z", "started_by": "ops",
      "checks": [{"name": "smoke", "verdict": "pass", "sentence": "3 of 3 paths answered", "failures": 0, "of": 3}],
      "file_differs": false}})");
}

/// Of the sample's rollout: rollout(route)["state"] = "paused".
inline boost::json::object& rollout(boost::json::value& route) { return route.at("rollout").as_object(); }

/// In another state; with the waits of a running step taken away.
inline boost::json::value sample_in(const std::string& state) {
  boost::json::value out = sample_route();
  rollout(out)["state"] = state;
  if (state != "running") rollout(out)["waiting"] = boost::json::array();
  if (state == "idle") rollout(out)["step"] = 0;
  return out;
}

inline boost::json::value sample_paused_by(const std::string& by, const std::string& sentence) {
  boost::json::value out = sample_in("paused");
  rollout(out)["pause"] = boost::json::object{{"by", by}, {"sentence", sentence}};
  return out;
}

}  // namespace tidegate::cli
