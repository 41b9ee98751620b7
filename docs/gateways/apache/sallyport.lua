-- LuaHookAccessChecker sallyport.lua judge: lets a request pass if sallyport says so, and otherwise
-- answers it as sallyport would. The variable sallyport_question is what the request needs, as in
-- scopes=fhir:read; without it any good key will do.

local socket = require "socket"

local HOST, PORT = (os.getenv("SALLYPORT") or "127.0.0.1:8080"):match("^(.*):(%d+)$")
local TOKEN = os.getenv("SALLYPORT_GATE_TOKEN")
assert(TOKEN and TOKEN ~= "", "SALLYPORT_GATE_TOKEN is not set: make one with 'sallyport gate-tokens create'")

local CONNECT_S, ANSWER_S = 1, 2
local IDLE_S = 60 -- below sallyport's idle_timeout (75s)
local AWAY = {
    status = 503,
    fields = { ["content-type"] = "application/problem+json", ["cache-control"] = "no-store", ["retry-after"] = "5" },
    body = '{"type":"about:blank","title":"Service Unavailable","status":503,"code":"GATE_UNREACHABLE","detail":"The API key cannot be checked: the gateway gets no answer from sallyport.","hint":"Nothing was done. Send the request again in a few seconds."}',
}
local HANDED_ON = { "Cache-Control", "Retry-After", "WWW-Authenticate", "RateLimit", "RateLimit-Policy", "X-Request-Id" }

-- This thread's connection, and when it was last used.
local kept, used_at

local function drop()
    if kept then kept:close() end
    kept = nil
end

local function connected()
    if kept and socket.gettime() - used_at < IDLE_S then return true end
    drop()
    local made = socket.tcp()
    made:settimeout(CONNECT_S)
    if not made:connect(HOST, tonumber(PORT)) then return false end
    made:setoption("tcp-nodelay", true)
    made:settimeout(ANSWER_S)
    kept = made
    return true
end

local function question_of(r)
    local lines = {
        "GET /gate/forward?" .. (r.subprocess_env["sallyport_question"] or "") .. " HTTP/1.1",
        "Host: sallyport",
        "X-Gate-Token: " .. TOKEN,
        "X-Forwarded-Method: " .. r.method,
        "X-Forwarded-Uri: " .. r.unparsed_uri,
        "X-Forwarded-For: " .. r.useragent_ip,
    }
    -- Apache has made one field of several, which is no key.
    local key = r.headers_in["x-api-key"]
    if key then lines[#lines + 1] = "X-Api-Key: " .. key end
    return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function read_answer()
    local line = kept:receive("*l")
    local status = line and tonumber(line:match("^HTTP/1%.1 (%d%d%d)"))
    if not status then return nil end
    local fields = {}
    while true do
        line = kept:receive("*l")
        if not line then return nil end
        if line == "" then break end
        local name, value = line:match("^([^:]+):%s*(.-)%s*$")
        if not name then return nil end
        fields[name:lower()] = value
    end
    local n = tonumber(fields["content-length"]) or 0
    local body = n == 0 and "" or kept:receive(n)
    if not body then return nil end
    if fields["connection"] == "close" then drop() end
    return { status = status, fields = fields, body = body }
end

local function ask(r)
    local was_kept = kept ~= nil
    if not connected() then return nil end
    local answer = kept:send(question_of(r)) and read_answer()
    used_at = socket.gettime()
    if answer then return answer end
    drop()
    -- A connection that was kept may have been closed meanwhile; a new one has no such excuse.
    return was_kept and ask(r) or nil
end

-- A client's own; and what servers like those of WSGI take for the same, X_Auth_Key_Id.
local function forget_claims(r)
    for name in pairs(r:headers_in_table()) do
        local plain = name:lower()
        if plain:sub(1, 7) == "x-auth-" or plain:find("_", 1, true) or plain == "x-api-key" or plain == "x-gate-token" then
            r.headers_in[name] = nil
        end
    end
end

local function let_pass(r, fields)
    forget_claims(r)
    for _, name in ipairs { "X-Auth-Key-Id", "X-Auth-Employer-Id", "X-Auth-User-Id", "X-Auth-Scopes" } do r.headers_in[name] = fields[name:lower()] end
    for _, name in ipairs { "RateLimit", "RateLimit-Policy" } do r.err_headers_out[name] = fields[name:lower()] end
    return apache2.DECLINED
end

local function refuse(r, answer)
    for _, name in ipairs(HANDED_ON) do r.err_headers_out[name] = answer.fields[name:lower()] end
    r.subprocess_env["sallyport_refused"] = "1"
    r:custom_response(answer.status, answer.body)
    return answer.status
end

function judge(r)
    local answer = ask(r)
    if answer and answer.status == 200 and answer.fields["x-auth-key-id"] then return let_pass(r, answer.fields) end
    if answer and answer.status >= 400 and answer.fields["content-type"] == "application/problem+json" then return refuse(r, answer) end
    return refuse(r, AWAY)
end
