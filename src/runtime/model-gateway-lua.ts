/** What HAProxy has no words for, in its Lua. Pure. */
import { tooLargeBody } from "./model-gateway-rules.js";
import type { ModelGatewaySettings } from "./model-gateway-settings.js";

/** So many times the largest size is read of a request that is too large: who has not done by then reads no answer. */
const mostReads = 8;

/**
 * `form_model` reads the model of a form. `too_large` refuses a request of unknown size when it has turned out to be too
 * large, and takes it first: whoever still sends does not read the answer.
 */
export function largeLua(settings: Pick<ModelGatewaySettings, "maxBodyBytes">): string {
  return `core.register_converters("form_model", function(body)
  local _, named = body:find('name="model"', 1, true)
  if not named then return "" end
  local _, blank = body:find("\\r\\n\\r\\n", named, true)
  if not blank then return "" end
  local last = body:find("\\r\\n", blank + 1, true)
  if not last or last - blank > 200 then return "" end
  return body:sub(blank + 1, last - 1)
end)

core.register_service("too_large", "http", function(applet)
  local left = ${mostReads * settings.maxBodyBytes}
  while left > 0 do
    local data = applet:receive(1048576)
    if not data or #data == 0 then break end
    left = left - #data
  end
  local answer = ${JSON.stringify(tooLargeBody(settings))}
  applet:set_status(413)
  applet:add_header("content-type", "application/json")
  applet:add_header("content-length", #answer)
  applet:start_response()
  applet:send(answer)
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
