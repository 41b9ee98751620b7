-- wrk: durable uploads of one new patient each. KEY in the environment.
local n = 0
local headers = {
  ["x-api-key"] = os.getenv("KEY"),
  ["x-api-version"] = "2026-02-01",
  ["content-type"] = "application/json",
}

function init()
  math.randomseed(tonumber(tostring({}):match("0x(%x+)"), 16) % 2147483647)
  run = math.random(1e9)
end

function request()
  n = n + 1
  local body = string.format(
    '{"patients":[{"email":"p%d.%d@bench.example","firstName":"Kim","lastName":"Po"}]}', run, n)
  return wrk.format("POST", "/api/employer/upload-cohort", headers, body)
end

function done(summary, latency)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  io.write(string.format("%.0f %.2f %.2f %d\n",
    summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, bad))
end
