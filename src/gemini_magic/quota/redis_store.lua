-- The ledger's operations inside Redis: each call is one of them, done wholly or not at all.
--
-- KEYS[1] is the prefix of every key; its hash tag puts them all on one node of a cluster.
-- ARGV: the operation, the time ("" is the server's own), and the operation's arguments in JSON.
-- Above this text come the constants MINUTE, GRACE, TOLERANCE, KEPT (seconds), TOTALS_KEPT
-- (seconds), SCHEMA, UNITS (the names of an amount's fields) and IN_MINUTE (how many of them, the
-- first ones, a rolling minute counts).
--
--   schema              the version of these keys
--   state               hash: version, rules, salt, ahead, changes, last (the newest event's id)
--   events              sorted set: id of an event -> when it was reserved
--   event:ID            hash: scope ("" once forgotten), minute and total (packed), counted (rows of totals)
--   minute:SCOPE        sorted set: "ID:" and the amount -> when it leaves the rolling minute
--   meter:SCOPE         hash: unit -> sum of what is in minute:SCOPE, so that nobody has to add it up
--   totals:PERIOD\tSCOPE  hash: unit -> sum
--   periods             sorted set, all scores 0: PERIOD\tSCOPE of each of the totals
local prefix, operation, given, input = KEYS[1], ARGV[1], ARGV[2], cjson.decode(ARGV[3])
local call = redis.call
local STATE, EVENTS, PERIODS = prefix .. 'state', prefix .. 'events', prefix .. 'periods'
local SIZE = 8 * IN_MINUTE  -- bytes of a packed amount of a minute

-- All digits: what Lua makes of a number by itself is cut to 14.
local function text(number)
  return string.format('%.17g', number)
end

local function pack(amount, units)
  return struct.pack('>' .. string.rep('d', units), unpack(amount, 1, units))
end

-- A table with the amount (and one number more, that is of no use).
local function unpacked(packed)
  return { struct.unpack('>' .. string.rep('d', #packed / 8), packed) }
end

local function texts(amount)
  local found = {}
  for i = 1, #UNITS do
    found[i] = text(amount[i] or 0)
  end
  return found
end

local function changed()
  call('HINCRBY', STATE, 'changes', 1)
end

-- --- events --------------------------------------------------------------------------------------

local function load(id)
  local found = call('HMGET', prefix .. 'event:' .. id, 'scope', 'minute', 'total', 'counted')
  if not found[1] then
    return nil
  end
  return { id = id, scope = found[1], minute = found[2], total = found[3], counted = found[4] }
end

local function member(event)
  return event.id .. ':' .. event.minute
end

local function save(event)
  local key = prefix .. 'event:' .. event.id
  call('HSET', key, 'scope', event.scope, 'minute', event.minute, 'total', event.total,
    'counted', event.counted)
  call('EXPIRE', key, KEPT)
end

-- --- the rolling minute --------------------------------------------------------------------------

local function minute_of(scope)
  return prefix .. 'minute:' .. scope, prefix .. 'meter:' .. scope
end

local function add(meter, packed, sign)
  local amount = unpacked(packed:sub(-SIZE))
  for i = 1, IN_MINUTE do
    if amount[i] ~= 0 then
      call('HINCRBY', meter, UNITS[i], text(sign * amount[i]))
    end
  end
end

-- The event counts in its minute until ``leaves``. The keys outlive that by an hour: the clock
-- may be corrected.
local function stays(event, leaves, now)
  if event.scope == '' then
    return
  end
  local minute, meter = minute_of(event.scope)
  if call('ZADD', minute, text(leaves), member(event)) == 1 then
    add(meter, event.minute, 1)
  end
  local seconds = math.ceil(math.max(0, leaves - now)) + 3600
  call('EXPIRE', minute, seconds)
  call('EXPIRE', meter, seconds)
end

-- Take a member out of its minute; when it would have left, nil if it was not in.
local function leave(scope, one)
  local minute, meter = minute_of(scope)
  local leaves = call('ZSCORE', minute, one)
  if leaves then
    call('ZREM', minute, one)
    add(meter, one, -1)
  end
  return tonumber(leaves)
end

-- What a scope's minute holds. A server short of memory may have dropped one of the two keys.
local function metered(scope, now)
  local minute, meter = minute_of(scope)
  for _, one in ipairs(call('ZRANGEBYSCORE', minute, '-inf', text(now))) do
    leave(scope, one)
  end
  local whole = call('EXISTS', minute, meter) == 2
  if not whole then
    call('DEL', meter)
    for _, one in ipairs(call('ZRANGE', minute, 0, -1)) do
      add(meter, one, 1)
    end
  end
  return call('HMGET', meter, unpack(UNITS, 1, IN_MINUTE))
end

local function drop(id)
  call('DEL', prefix .. 'event:' .. id)
  call('ZREM', EVENTS, id)
end

-- Drop events that no window and hardly a late settlement needs; ``most`` of them at once.
local function fold(now, most)
  local old = call('ZRANGEBYSCORE', EVENTS, '-inf', '(' .. text(now - KEPT), 'LIMIT', 0, most)
  for _, id in ipairs(old) do
    local event = load(id)
    local minute = event and minute_of(event.scope)
    local leaves = event and tonumber(call('ZSCORE', minute, member(event)))
    if not (leaves and leaves > now) then
      if leaves then
        leave(event.scope, member(event))
      end
      drop(id)
    end
  end
  for _, row in ipairs(call('ZRANGE', PERIODS, 0, most - 1)) do
    if call('EXISTS', prefix .. 'totals:' .. row) == 1 then
      break
    end
    call('ZREM', PERIODS, row)
  end
end

-- --- time ----------------------------------------------------------------------------------------

-- The ledger's clock, not before the newest event. If that lies too far ahead to be believed (the
-- second answer), it is the clock alone.
local function look()
  local now = tonumber(given)
  if not now then
    local time = call('TIME')
    now = time[1] + time[2] / 1000000
  end
  now = now + (tonumber(call('HGET', STATE, 'ahead')) or 0)
  local newest = tonumber(call('ZREVRANGE', EVENTS, 0, 0, 'WITHSCORES')[2])
  if newest and newest > now + TOLERANCE then
    return now, true
  end
  return math.max(now, newest or now), false
end

-- --- sums ----------------------------------------------------------------------------------------

local function count(row, change)
  local key = prefix .. 'totals:' .. row
  for i, unit in ipairs(UNITS) do
    if change[i] ~= 0 or i == 1 then
      call('HINCRBY', key, unit, text(change[i]))
    end
  end
  call('EXPIRE', key, TOTALS_KEPT)
  call('ZADD', PERIODS, 0, row)
end

local function total(row)
  return call('HMGET', prefix .. 'totals:' .. row, unpack(UNITS))
end

-- What scopes hold together in a period; "" is the rolling minute.
local function sum(scopes, period, now)
  local found = {}
  for _, scope in ipairs(scopes) do
    local held = period == '' and metered(scope, now) or total(period .. '\t' .. scope)
    for i = 1, #UNITS do
      found[i] = (found[i] or 0) + (tonumber(held[i]) or 0)
    end
  end
  for i = 1, #UNITS do
    found[i] = found[i] or 0
  end
  return found
end

-- When the rolling minute of scopes will have ``over`` less of a unit, if nothing is added. The
-- first to leave are looked at first, more only if they are not enough.
local function opens(scopes, unit, over, now)
  local most = 64
  while true do
    local leaving, known = {}, math.huge
    for _, scope in ipairs(scopes) do
      local minute = minute_of(scope)
      local rows = call('ZRANGEBYSCORE', minute, '(' .. text(now), '+inf', 'WITHSCORES',
        'LIMIT', 0, most)
      for i = 1, #rows, 2 do
        leaving[#leaving + 1] = { tonumber(rows[i + 1]), unpacked(rows[i]:sub(-SIZE))[unit] }
      end
      if #rows == 2 * most then
        known = math.min(known, tonumber(rows[#rows]))
      end
    end
    table.sort(leaving, function(a, b) return a[1] < b[1] end)
    local left = over
    for _, one in ipairs(leaving) do
      left = left - one[2]
      if one[1] > known then
        break
      elseif left <= 0 then
        return one[1]
      end
    end
    if known == math.huge then
      return math.huge
    end
    most = most * 8
  end
end

-- --- the operations ------------------------------------------------------------------------------

local operations = {}

function operations.now()
  return text(look())
end

-- What a wrong clock stamped with a time to come counts as having happened just now, and in the
-- present day (``today``). That is the safe side, and it passes.
function operations.disbelieve()
  local now = look()
  for _, id in ipairs(call('ZRANGEBYSCORE', EVENTS, '(' .. text(now + TOLERANCE), '+inf')) do
    call('ZADD', EVENTS, text(now), id)
    local event = load(id)
    if event then
      local amount, less, rows = unpacked(event.total), {}, {}
      for i = 1, #UNITS do
        less[i] = -amount[i]
      end
      for place, row in ipairs(cjson.decode(event.counted)) do
        local period, scope = row:match('^([^\t]*)\t(.*)$')
        rows[place] = row
        if scope == event.scope and period > input.today then
          rows[place] = input.today .. '\t' .. scope
          count(row, less)
          count(rows[place], amount)
        end
      end
      event.counted = cjson.encode(rows)
      save(event)
      stays(event, now + MINUTE + GRACE, now)
    end
  end
  changed()
end

-- Everything that happened moves with the clock, so that each event stays as long ago as it was.
function operations.correct_clock()
  look()
  call('HINCRBYFLOAT', STATE, 'ahead', input.ahead)
  for _, id in ipairs(call('ZRANGE', EVENTS, 0, -1)) do
    call('ZINCRBY', EVENTS, input.ahead, id)
    local event = load(id)
    if event and event.scope ~= '' then
      local minute = minute_of(event.scope)
      if call('ZSCORE', minute, member(event)) then
        call('ZINCRBY', minute, input.ahead, member(event))
      end
    end
  end
  changed()
end

function operations.salt()
  call('HSETNX', STATE, 'salt', input.salt)
  return call('HGET', STATE, 'salt')
end

function operations.rules()
  return { call('HGET', STATE, 'version') or '0', call('HGET', STATE, 'rules') or '' }
end

function operations.replace_rules()
  if tonumber(call('HGET', STATE, 'version') or 0) ~= input.version then
    return 0
  end
  call('HSET', STATE, 'version', text(input.version + 1), 'rules', input.document)
  changed()
  return 1
end

-- ``pools`` are the (scopes, period) that ``gates`` (pool, unit, limit) look at.
function operations.reserve()
  local now, unbelievable = look()
  local version = call('HGET', STATE, 'version') or '0'
  if unbelievable then
    return { 'future', text(now), version }
  end
  if tonumber(version) ~= input.version or now >= tonumber(input['until']) then
    return { 'stale', text(now), version }
  end
  local sums, full = {}, { 'full', text(now) }
  for place, gate in ipairs(input.gates) do
    local pool, unit, limit = unpack(gate)
    local scopes, period = unpack(input.pools[pool])
    sums[pool] = sums[pool] or sum(scopes, period, now)
    local used, needed = sums[pool][unit], input.amount[unit]
    if used + needed > limit then
      local open = math.huge
      if needed <= limit then
        open = period == '' and opens(scopes, unit, used + needed - limit, now) or 0
      end
      for _, value in ipairs({ place, used, open }) do
        full[#full + 1] = text(value)
      end
    end
  end
  if #full > 2 then
    return full
  end
  local id = text(call('HINCRBY', STATE, 'last', 1))
  local event = {
    id = id,
    scope = input.scope,
    minute = pack(input.amount, IN_MINUTE),
    total = pack(input.amount, #UNITS),
    counted = cjson.encode(input.counted),
  }
  save(event)
  call('ZADD', EVENTS, text(now), id)
  stays(event, now + MINUTE + GRACE, now)
  for _, row in ipairs(input.counted) do
    count(row, input.amount)
  end
  changed()
  return { 'admitted', text(now), id }
end

function operations.renew()
  local now, event = look(), load(input.id)
  if event then
    stays(event, now + MINUTE + GRACE, now)
    changed()
  end
end

-- Headers cannot have come before the reservation, whatever a clock says.
function operations.answered()
  local now, event = look(), load(input.id)
  if event then
    local at = tonumber(call('ZSCORE', EVENTS, input.id)) or now
    stays(event, math.max(at, now - math.max(0, input.ago)) + MINUTE, now)
    changed()
  end
end

function operations.settle()
  local now, event = look(), load(input.id)
  if not event then
    return
  end
  local leaves = leave(event.scope, member(event))
  local before, change, differs = unpacked(event.total), {}, false
  for i = 1, #UNITS do
    change[i] = input.total[i] - before[i]
    differs = differs or change[i] ~= 0
  end
  event.minute, event.total = pack(input.minute, IN_MINUTE), pack(input.total, #UNITS)
  save(event)
  if leaves then
    stays(event, leaves, now)
  end
  if differs then
    for _, row in ipairs(cjson.decode(event.counted)) do
      count(row, change)
    end
  end
  fold(now, 10)
  changed()
end

function operations.sum()
  return texts(sum(input.scopes, input.period, input.period == '' and look() or 0))
end

-- When there will be one request less in the minute of the scopes.
function operations.leaves()
  local now = look()
  return text(opens(input.scopes, 1, 1, now))
end

function operations.history()
  local found = {}
  for _, row in ipairs(call('ZRANGEBYLEX', PERIODS, '[' .. input.since, '+')) do
    if call('EXISTS', prefix .. 'totals:' .. row) == 1 then
      found[#found + 1] = { row, texts(total(row)) }
    end
  end
  return found
end

-- Requests on their way no longer count in these scopes, nor correct them when they are settled.
function operations.forget()
  local gone = {}
  for _, scope in ipairs(input.scopes) do
    gone[scope] = true
    call('DEL', minute_of(scope))
  end
  local function is_gone(row)
    return gone[row:sub(row:find('\t', 1, true) + 1)]
  end
  for _, id in ipairs(call('ZRANGE', EVENTS, 0, -1)) do
    local event = load(id)
    local kept = {}
    for _, row in ipairs(event and cjson.decode(event.counted) or {}) do
      if not is_gone(row) then
        kept[#kept + 1] = row
      end
    end
    if event and gone[event.scope] then
      event.scope = ''
    end
    if event and (event.scope ~= '' or #kept > 0) then
      event.counted = cjson.encode(kept)
      save(event)
    else
      drop(id)
    end
  end
  for _, row in ipairs(call('ZRANGE', PERIODS, 0, -1)) do
    if is_gone(row) then
      call('DEL', prefix .. 'totals:' .. row)
      call('ZREM', PERIODS, row)
    end
  end
  changed()
end

function operations.changes()
  return tonumber(call('HGET', STATE, 'changes') or 0)
end

function operations.fold()
  fold(look(), 1000000)
  changed()
end

local schema = call('GET', prefix .. 'schema')
if not schema then
  call('SET', prefix .. 'schema', SCHEMA)
elseif tonumber(schema) > SCHEMA then
  return redis.error_reply('NEWER ' .. schema)
end
return operations[operation]()
