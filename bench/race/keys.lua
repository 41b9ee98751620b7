-- wrk: one request from a template, with a key of a file drawn for each. REQUEST and KEYS in the
-- environment; bench/race/keyset.py says what they hold.
--
-- The keys are mapped rather than read: a million of them, for each thread, is more than LuaJIT can
-- address.
local ffi = require("ffi")
ffi.cdef [[
  int open(const char *path, int flags);
  long lseek(int fd, long at, int whence);
  void *mmap(void *at, size_t n, int protection, int flags, int fd, long offset);
]]

local KEY, LINE = 72, 74
local READ, PRIVATE, END = 1, 2, 2
local random, string_of = math.random, ffi.string
local before, after, keys, count

local function map(path)
  local fd = ffi.C.open(path, 0)
  local n = ffi.C.lseek(fd, 0, END)
  assert(fd >= 0 and n >= LINE, "cannot read " .. path)
  return ffi.cast("const char *", ffi.C.mmap(nil, n, READ, PRIVATE, fd, 0)), tonumber(n) / LINE
end

local started = 0
function setup(thread)
  started = started + 1
  thread:set("number", started)
end

function init()
  local file = assert(io.open(os.getenv("REQUEST"), "rb"))
  before, after = file:read("*a"):match("^(.*){key}(.*)$")
  file:close()
  keys, count = map(os.getenv("KEYS"))
  math.randomseed(os.time() * 16 + number)
end

function request()
  return before .. string_of(keys + random(0, count - 1) * LINE + 1, KEY) .. after
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.3f,"rate":%.0f,"p50_ms":%.3f,"p99_ms":%.3f,"refused":%d,"errors":%d}\n',
    summary.requests, summary.duration / 1e6, summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
