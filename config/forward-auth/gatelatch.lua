-- `http-request lua.gatelatch URL` asks Gatelatch about the request: it goes on with the identity headers, or the client
-- gets Gatelatch's answer. Whatever is not clearly allowed is refused.

local SENT = {
    "accept", "authorization", "cookie", "destination", "origin", "sec-fetch-mode", "sec-fetch-site",
    "sec-websocket-key", "sec-websocket-protocol", "x-api-key",
}
local IDENTITY = { "remote-user", "remote-groups", "remote-name", "remote-email" }
local TOLD = {
    "cache-control", "content-type", "location", "ratelimit", "ratelimit-policy", "retry-after", "set-cookie",
    "www-authenticate",
}
-- What a client may not say: who it is, where it comes from, which other path or method counts. How names begin, without
-- anything but letters and digits, since an app takes many spellings for the same.
local FORGED = {
    "forwarded", "xforwarded", "remote", "xremote", "xwebauth", "xauthrequest", "xauthuser", "xauthenticateduser", "xgatelatch",
    "xsslclient", "xrealip", "trueclientip", "cfconnectingip", "xclientip", "xclusterclientip", "fastlyclientip", "proxyclientip",
    "wlproxyclientip", "xoriginal", "xrewriteurl", "xhttpmethod", "xmethodoverride", "xenvoyexternaladdress", "newuri",
    "clientip", "cfpseudoipv4", "doconnectingip", "flyclientip", "incapclientip", "xappengineuserip", "xazureclientip", "xazuresocketip",
    "xnfclientconnectionip", "xoriginatingip", "xproxyuserip", "xsucuriclientip", "xtrueclientip", "xvercelforwardedfor",
}
-- these are haproxy.cfg's own
local OWN = { ["x-forwarded-for"] = true, ["x-forwarded-host"] = true, ["x-forwarded-proto"] = true }

local function each(values, visit)
    if values == nil then return end
    -- HAProxy counts some lists from 0 and some from 1
    local at = values[0] ~= nil and 0 or 1
    while values[at] ~= nil do
        visit(values[at])
        at = at + 1
    end
end

local function question(txn)
    local sent = txn.http:req_get_headers()
    local headers = {}
    for _, name in ipairs(SENT) do
        each(sent[name], function(value)
            headers[name] = headers[name] or {}
            table.insert(headers[name], value)
        end)
    end
    local scheme = txn.f:ssl_fc() == 1 and "https" or "http"
    headers["x-forwarded-method"] = { txn.f:method() }
    headers["x-forwarded-proto"] = { scheme }
    headers["x-forwarded-uri"] = { txn.f:pathq() }
    headers["x-forwarded-for"] = { txn.f:src() }
    each(sent["host"], function(value)
        headers["x-forwarded-host"] = headers["x-forwarded-host"] or {}
        table.insert(headers["x-forwarded-host"], value)
    end)
    return headers
end

local function is_forged(name)
    local folded = name:lower():gsub("[^%w]", "")
    for _, start in ipairs(FORGED) do
        if folded:sub(1, #start) == start then return not OWN[name] end
    end
    return false
end

-- The session is the gateway's, and so are its cookies beside it, such as those of sign-ins that are under way.
local function is_own(name)
    if not name then return false end
    name = name:gsub("^__Host%-", ""):gsub("^__Secure%-", "")
    return name == "gatelatch" or name:find("^gatelatch%-") ~= nil
end

-- The cookies that are not the gateway's, each as it was.
local function others(line)
    local kept = {}
    for cookie in line:gmatch("[^;]+") do
        cookie = cookie:match("^%s*(.-)%s*$")
        if not is_own(cookie:match("^([^=]-)%s*=")) then table.insert(kept, cookie) end
    end
    return table.concat(kept, "; ")
end

-- Removes what the client says about itself, and the credentials, which are the gateway's.
local function clean(txn)
    local sent = txn.http:req_get_headers()
    for name in pairs(sent) do
        if is_forged(name) then txn.http:req_del_header(name) end
    end
    txn.http:req_del_header("authorization")
    each(sent["x-api-key"], function(key)
        if key:find("^glk_") then txn.http:req_del_header("x-api-key") end
    end)
    txn.http:req_del_header("cookie")
    each(sent["cookie"], function(line)
        local kept = others(line)
        if kept ~= "" then txn.http:req_add_header("cookie", kept) end
    end)
end

local function refuse(txn, answer)
    local reply = txn:reply()
    reply:set_status(answer and answer.status >= 300 and answer.status or 503)
    for _, name in ipairs(TOLD) do
        each(answer and answer.headers and answer.headers[name], function(value)
            reply:add_header(name, value)
        end)
    end
    reply:set_body(answer and answer.body or "")
    txn:done(reply)
end

core.register_action("gatelatch", { "http-req" }, function(txn, url)
    local answer = core.httpclient():get({ url = url, headers = question(txn) })
    if not answer or answer.status ~= 200 then
        return refuse(txn, answer)
    end
    clean(txn)
    for _, name in ipairs(IDENTITY) do
        each(answer.headers[name], function(value)
            txn.http:req_set_header(name, value)
        end)
    end
    each(answer.headers["set-cookie"], function(value)
        txn:set_var("txn.gatelatch_cookie", value)
    end)
end, 1)
