/** What HAProxy has no words for, in its Lua. Pure. */
import { answerLua, tooLargeBody } from "./model-gateway-refusals.js";
import type { ModelGatewaySettings } from "./model-gateway-settings.js";

/** So many times the largest size is read of a request that is too large: who has not done by then reads no answer. */
const mostReads = 8;

/** Most parts of a form, and most bytes of the head of each. */
const mostParts = 1000;
const mostPartHeadBytes = 4096;

/** Most texts, lists and escapes that are looked at in JSON: nobody else is served meanwhile. */
const mostSteps = 1_000_000;
/** Most bytes that are looked at outside of texts, one by one: HAProxy ends itself when two seconds pass. */
const mostPlainBytes = 16 * 2 ** 20;

/**
 * `json_model` reads the model of JSON that HAProxy's json_query does not read. `form_model` reads the one field `model` of a form, and nothing of
 * a form that others may read in another way. `too_large` refuses a request that is too large, and takes it first: whoever
 * still sends does not read the answer.
 */
export function largeLua(settings: Pick<ModelGatewaySettings, "maxBodyBytes">): string {
  return `${jsonLua}
${parametersLua}
${partNameLua}
${formLua}
${tooLargeLua(settings)}`;
}

/** Looks for the first key `model` at the top of an object. */
const jsonLua = String.raw`local function text_end(body, at, left)
  while left > 0 do
    local found = body:find('"', at, true)
    if not found then break end
    local before = found - 1
    while before >= at and body:byte(before) == 92 do before, left = before - 1, left - 1 end
    if (found - before) % 2 == 1 then return found, left end
    at, left = found + 1, left - 1
  end
  return nil, 0
end

core.register_fetches("json_model", function(txn)
  local body = txn.sf:req_body()
  if not body:find("^%s*{") then return "" end
  local at, depth, left, last = 1, 0, ${mostSteps}, nil
  local quote, plain_left = 0, ${mostPlainBytes}
  while left > 0 do
    if quote < at then
      quote = body:find('"', at, true)
      plain_left = plain_left - ((quote or #body) - at)
      if not quote or plain_left < 0 then return "" end
    end
    local found, _, mark = body:find('(["%[%]{}])', at)
    at, left = found + 1, left - 1
    if mark == '"' then
      last, left = text_end(body, at, left)
      if not last then return "" end
      if depth == 1 and body:sub(at, last - 1) == "model" and body:find("^%s*:", last + 1) then
        local model = body:match('^%s*:%s*"([^"]*)"', last + 1) or ""
        local plain = model:sub(1, 1000):gsub("\\/", "/")
        return (plain:gsub("\\u00(%x%x)", function(code) return string.char(tonumber(code, 16)) end))
      end
      at = last + 1
    else
      depth = depth + ((mark == "{" or mark == "[") and 1 or -1)
    end
  end
  return ""
end)
`;

/** `form-data; name="model"; filename=a.wav`: its first word, and the others by their names. */
const parametersLua = String.raw`local function parameters(text)
  local kind, at = text:match("^%s*([%w/-]+)()")
  local found = {}
  while kind do
    if text:find("^%s*$", at) then return kind:lower(), found end
    local name, from = text:match("^%s*;%s*([%w*_-]+)=()", at)
    if not name or found[name:lower()] then return nil end
    local value, past = text:match('^"([^"]*)"()', from)
    if not value then value, past = text:match('^([^%s;"]+)()', from) end
    if not value or value:sub(-1) == "\\" then return nil end
    found[name:lower()] = value
    at = past
  end
end
`;

/** The name of a part of a form, and whether it is more than a text; nothing when its head is not as it has to be. */
const partNameLua = String.raw`local plain = { ["7bit"] = true, ["8bit"] = true, binary = true }

local function part_name(head)
  local disposition, encoded
  for line in (head .. "\r\n"):gmatch("(.-)\r\n") do
    local header, value = line:match("^([%w-]+):([^%c]*)$")
    if not header then return nil end
    header = header:lower()
    if header == "content-transfer-encoding" then encoded = not plain[value:lower():match("^%s*(%S+)%s*$")] end
    if header == "content-disposition" then
      if disposition then return nil end
      disposition = value
    end
  end
  local kind, found = parameters(disposition or "")
  if kind ~= "form-data" or not found.name or found.name:find("\\", 1, true) or found["name*"] then return nil end
  return found.name, encoded or found.filename or found["filename*"]
end
`;

const formLua = String.raw`core.register_fetches("form_model", function(txn)
  local kind, found = parameters(txn.sf:req_fhdr("content-type"))
  if kind ~= "multipart/form-data" or not found.boundary then return "" end
  local body, line = txn.sf:req_body(), "--" .. found.boundary
  if body:sub(1, #line) ~= line then return "" end
  local at, model = #line + 1, nil
  for _ = 1, ${mostParts} do
    if body:sub(at, at + 1) == "--" then return model or "" end
    local first, last = body:find("\r\n\r\n", at, true)
    if not first or first - at > ${mostPartHeadBytes} or body:sub(at, at + 1) ~= "\r\n" then return "" end
    local name, more = part_name(body:sub(at + 2, first - 1))
    local stop, past = body:find("\r\n" .. line, last + 1, true)
    if not name or not stop then return "" end
    if name == "model" then
      if model or more then return "" end
      model = body:sub(last + 1, stop - 1)
    end
    at = past + 1
  end
  return ""
end)
`;

function tooLargeLua({ maxBodyBytes }: Pick<ModelGatewaySettings, "maxBodyBytes">): string {
  const body = JSON.stringify(tooLargeBody({ maxBodyBytes }));
  return `${answerLua}
core.register_service("too_large", "http", function(applet)
  answer(applet, ${mostReads * maxBodyBytes}, 413, {}, ${body})
end)
`;
}

/**
 * `rename` has an engine read its own name for the model, whatever the client called it: it writes that behind what is
 * there, and readers of JSON take the last of two. Whoever sets `txn.rename` adds {@link renamedBytes} to the length.
 */
export const renameLua = `local Rename = { id = "rename", flags = filter.FLT_CFG_FL_HTX }
Rename.__index = Rename

function Rename:new() return setmetatable({}, Rename) end

function Rename:http_headers(txn, message)
  local name = txn:get_var("txn.rename")
  if name and not message:is_resp() then
    self.ending = ',"model":"' .. name .. '"}'
    filter.register_data_filter(self, message.channel)
  end
  return filter.CONTINUE
end

function Rename:http_payload(txn, message)
  if not self.ending or not message:eom() then return end
  local ending = self.ending
  self.ending = nil
  local data = message:body() or ""
  local last = data:find("}%s*$")
  -- What is no object is as long as was said, and stays none.
  if last then message:set(ending .. data:sub(last + 1), last - 1)
  else message:append((" "):rep(#ending - 1)) end
end

core.register_filter("rename", Rename, function(self) return self end)
`;

/** So much longer is a request that is renamed. */
export function renamedBytes(servedModel: string): number {
  return `,"model":"${servedModel}"`.length;
}
