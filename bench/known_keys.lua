-- wrk: calls with keys that the servers know, every second one of them to the gate, the others to an
-- enterprise route. KEYS (by spaces) and GATE_TOKEN in the environment.
local keys, requests, n = {}, {}, 0
for key in os.getenv("KEYS"):gmatch("%S+") do keys[#keys + 1] = key end

function init()
  for _, key in ipairs(keys) do
    requests[#requests + 1] = wrk.format("POST", "/gate/verify",
      { ["authorization"] = "Bearer " .. os.getenv("GATE_TOKEN"), ["content-type"] = "application/json" },
      string.format('{"key":"%s"}', key))
    requests[#requests + 1] = wrk.format("GET", "/api/employer/cohort?limit=1",
      { ["x-api-key"] = key, ["x-api-version"] = "2026-02-01" })
  end
end

function request()
  n = n % #requests + 1
  return requests[n]
end

function done(summary)
  io.write(string.format("%.0f %d %d\n", summary.requests / (summary.duration / 1e6),
    summary.errors.status + summary.errors.connect + summary.errors.read, summary.errors.timeout))
end
