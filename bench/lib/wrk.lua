-- Run inside wrk: makes uploads (the first argument after `--`: bytes of the body), and prints what the report leaves out.
function init(arguments)
  local bytes = tonumber(arguments[1]) or 0
  if bytes > 0 then
    wrk.method = "POST"
    wrk.body = string.rep("x", bytes)
  end
end

function done(summary, latency, requests)
  io.write(string.format("p99.9 %d us\n", latency:percentile(99.9)))
end
