-- http-request lua.sallyport QUESTION: lets a request pass if sallyport says so, and otherwise
-- answers it as sallyport would. QUESTION is what the request needs: scopes=fhir:read.

local LINK = os.getenv("SALLYPORT_LINK")
local TOKEN = os.getenv("SALLYPORT_GATE_TOKEN")
assert(TOKEN and TOKEN ~= "", "SALLYPORT_GATE_TOKEN is not set: make one with 'sallyport gate-tokens create'")

local PROBLEM = "application/problem+json"
local AWAY = {
    status = 503,
    headers = { ["content-type"] = { PROBLEM }, ["cache-control"] = { "no-store" }, ["retry-after"] = { "5" } },
    body = '{"type":"about:blank","title":"Service Unavailable","status":503,"code":"GATE_UNREACHABLE","detail":"The API key cannot be checked: the gateway gets no answer from sallyport.","hint":"Nothing was done. Send the request again in a few seconds."}',
}
-- Of a refusal; the rest (connection, length) is HAProxy's own business.
local HANDED_ON = { "content-type", "cache-control", "retry-after", "www-authenticate", "ratelimit", "ratelimit-policy", "x-request-id" }

-- HAProxy counts them from 0, and its client from 1.
local function all(values)
    local list = {}
    for i = 0, #(values or {}) do list[#list + 1] = values and values[i] end
    return list
end

local function first(response, name)
    local values = response.headers[name]
    return values and values[0]
end

local function ask(txn, question)
    return core.httpclient():get({
        url = "http://sallyport/gate/forward?" .. question,
        dst = LINK,
        headers = {
            ["host"] = { "sallyport" },
            ["x-gate-token"] = { TOKEN },
            -- All of them: a key that is there twice is refused.
            ["x-api-key"] = all(txn.http:req_get_headers()["x-api-key"]),
            ["x-forwarded-method"] = { txn.sf:method() },
            ["x-forwarded-uri"] = { txn.sf:pathq() },
            ["x-forwarded-for"] = { txn.sf:src() },
        },
    })
end

local function refuse(txn, answer)
    local reply = txn:reply({ status = answer.status, body = answer.body })
    for name, values in pairs(answer.headers) do
        for _, value in pairs(values) do reply:add_header(name, value) end
    end
    txn:done(reply)
end

-- Without sallyport HAProxy answers its own question, with a page.
local function is_of_sallyport(response)
    return response and response.headers and first(response, "content-type") == PROBLEM
end

local function refusal_of(response)
    local headers = {}
    for _, name in ipairs(HANDED_ON) do headers[name] = all(response.headers[name]) end
    return { status = response.status, headers = headers, body = response.body }
end

local function let_pass(txn, response)
    for _, name in ipairs({ "x-auth-key-id", "x-auth-employer-id", "x-auth-user-id", "x-auth-scopes" }) do
        txn.http:req_set_header(name, first(response, name) or "")
    end
    for _, name in ipairs({ "ratelimit", "ratelimit-policy" }) do
        local value = first(response, name)
        if value then txn:set_var("txn.sallyport_" .. name:gsub("-", "_"), value) end
    end
end

core.register_action("sallyport", { "http-req" }, function(txn, question)
    local response = ask(txn, question)
    if response and response.status == 200 and first(response, "x-auth-key-id") then
        let_pass(txn, response)
    elseif is_of_sallyport(response) then
        refuse(txn, refusal_of(response))
    else
        refuse(txn, AWAY)
    end
end, 1)
