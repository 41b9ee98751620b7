-- Fixed windows of a minute, which is what a shared dictionary's counters are good for.
local key = ngx.var.http_x_api_key
local limit = key and ngx.shared.keys:get(key)
if not limit then return ngx.exit(401) end
local window = math.floor(ngx.now() / 60)
local used = ngx.shared.counts:incr(key .. window, 1, 0, 60)
if used and used > limit then return ngx.exit(429) end
