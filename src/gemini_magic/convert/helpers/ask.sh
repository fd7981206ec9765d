# Ends the script with a message.
stop() {
  printf '%s\n' "$*" >&2
  exit 1
}


# What only Python knew of a prompt has to be in the environment: its variable and its placeholder.
given() {
  [ -n "${!1+set}" ] || stop "Set $1: the prompt says $2 there."
}


# A file has to lie beside this script.
needs() {
  [ -r "$here/$1" ] || stop "$here/$1 is missing: it belongs to this script."
}


# The base64 of a file that lies beside this script, on one line.
input_file() {
  base64 < "$here/$1" | tr -d '\n'
}


# Ends the script where the service refused, with its words.
check_status() {
  local status
  status=$(sed -n 's/^HTTP\/[^ ]* \([0-9]*\).*/\1/p' "$work/head" | tail -n 1)
  [ "$status" -ge 300 ] || return 0
  jq -r '(if type == "array" then .[0] else . end) | .error.message? // .' "$work/answer" \
    >&2 2> /dev/null || cat "$work/answer" >&2
  stop "HTTP status $status"
}


# Sends "$work/body" to an address and keeps the answer's events in "$work/events". The header with
# the key is no argument of curl's, so that no list of processes shows it. A filter of jq's prints
# each event as it comes.
post() {
  local url="$1" header="$2" filter="$3"
  curl -gsSN -H 'Content-Type: application/json' -H @<(printf '%s\n' "$header") \
    -D "$work/head" --data-binary "@$work/body" "$url" |
    tee "$work/answer" |
    jq -Rrj --unbuffered "select(startswith(\"data:\")) | .[5:] | fromjson? | $filter"
  check_status
  jq -Rn '[inputs | select(startswith("data:")) | .[5:] | fromjson?]' "$work/answer" \
    > "$work/events"
  jq -e 'any(.[]; .error?) | not' "$work/events" > /dev/null ||
    stop "$(jq -r '[.[] | .error? | values | .message? // tostring][0]' "$work/events")"
}


# The options of the functions below: --history FILE (a chat's messages so far, which grow),
# --results FILE (what functions gave back when the notebook ran), --hops N, --quiet.
read_options() {
  history="" results="" hops=8 quiet=""
  while [ $# -gt 0 ]; do
    case "$1" in
      --quiet) quiet=yes && shift && continue ;;
      --history) history="$2" ;;
      --results) results="$2" ;;
      --hops) hops="$2" ;;
    esac
    shift 2
  done
}


# Makes "$work/answers" of "$work/calls": for each {"name", "args"} what the function gave back.
# What it was not asked when the notebook ran is not known.
look_up() {
  jq -n --slurpfile calls "$work/calls" --slurpfile known "$results" '
    reduce $calls[0][] as $call ({known: $known[0], found: []};
      ([.known | to_entries[] | select(.value.name == $call.name and .value.args == $call.args)][0])
        as $one
      | if $one == null then
          error("The model called \($call.name)(\($call.args)): that is a Python function.")
        else
          .found += [$one.value.response]
          | .known = .known[:$one.key] + .known[$one.key + 1:] + [$one.value]
        end)' > "$work/found" 2> "$work/problem" ||
    stop "$(sed 's/^jq: error[^:]*: //' "$work/problem")"
  jq '.found' "$work/found" > "$work/answers"
  jq '.known' "$work/found" > "$results"
}


# Asks Gemini what standard input says: an address, the header with the key, options. The answer is
# printed as it comes; "$work/text" has its text, "$work/media" its pictures and sounds.
ask_gemini() {
  local url="$1" header="$2" history results hops quiet filter hop
  read_options "${@:3}"
  cat > "$work/asked"
  [ -z "$history" ] || [ -e "$history" ] || printf '[]' > "$history"
  filter='.candidates[0]?.content.parts[]? | select(.thought | not) | .text // empty'
  [ -z "$quiet" ] || filter=empty
  printf '[]' > "$work/media"
  for ((hop = 1; ; hop++)); do
    if [ -n "$history" ]; then
      jq --slurpfile past "$history" '.contents = $past[0] + .contents' "$work/asked" > "$work/body"
    else
      cp "$work/asked" "$work/body"
    fi
    post "$url" "$header" "$filter"
    jq -r '.[].promptFeedback.blockReason? // empty | "the prompt was blocked: \(.)"' \
      "$work/events" >&2
    jq '[.[].candidates[0]?.content.parts[]? | select((.thought | not) and .text != "")]
      | reduce .[] as $part ([];
          if $part.text and .[-1].text and (.[-1].thoughtSignature | not)
          then .[:-1] + [$part + {text: (.[-1].text + $part.text)}] else . + [$part] end)' \
      "$work/events" > "$work/parts"
    jq -s '.[0] + [.[1][].inlineData // empty | {type: .mimeType, data}]' \
      "$work/media" "$work/parts" > "$work/next" && mv "$work/next" "$work/media"
    jq '[.[].functionCall // empty | {name, args: (.args // {}), id}]' "$work/parts" > "$work/calls"
    if [ -z "$results" ] || [ "$hop" -gt "$hops" ] || [ "$(jq length "$work/calls")" -eq 0 ]; then
      break
    fi
    look_up
    jq --slurpfile parts "$work/parts" --slurpfile calls "$work/calls" \
      --slurpfile answers "$work/answers" '
      .contents += [
        {role: "model", parts: $parts[0]},
        {role: "user", parts: [range($calls[0] | length) as $i | {functionResponse: (
          $calls[0][$i] | (if .id then {id} else {} end) + {name, response: $answers[0][$i]})}]}
      ]' "$work/asked" > "$work/next"
    mv "$work/next" "$work/asked"
  done
  jq -j '[.[] | .text // empty] | add // ""' "$work/parts" > "$work/text"
  [ -n "$quiet" ] || [ ! -s "$work/text" ] || echo
  if [ -n "$history" ]; then
    jq -n --slurpfile past "$history" --slurpfile asked "$work/asked" --slurpfile parts "$work/parts" '
      [$parts[0][] | select(.functionCall | not)] as $last
      | $past[0] + if $last == [] then [] else
          $asked[0].contents + [{role: "model", parts: $last}] end' > "$work/next"
    mv "$work/next" "$history"
  fi
}


# Asks an OpenAI-compatible service what standard input says; all else is as with ask_gemini. What
# is in "$work/before" goes before a chat's messages, once.
ask_openai() {
  local url="$1" header="$2" history results hops quiet filter hop
  read_options "${@:3}"
  cat > "$work/asked"
  [ -z "$history" ] || [ -e "$history" ] || printf '[]' > "$history"
  filter='.choices[0]?.delta | .content // empty, .audio.transcript? // empty'
  [ -z "$quiet" ] || filter=empty
  printf '[]' > "$work/media"
  for ((hop = 1; ; hop++)); do
    cp "$work/asked" "$work/body"
    if [ -n "$history" ]; then
      jq --slurpfile past "$history" '.messages = $past[0] + .messages' "$work/body" > "$work/next"
      mv "$work/next" "$work/body"
    fi
    if [ -e "$work/before" ]; then
      jq --slurpfile first "$work/before" '.messages = $first[0] + .messages' "$work/body" > "$work/next"
      mv "$work/next" "$work/body"
    fi
    post "$url" "$header" "$filter"
    jq '[.[].choices[0]?.delta | objects] as $deltas
      | ([$deltas[] | .content // empty, .audio.transcript? // empty] | add // "") as $text
      | reduce ($deltas[].tool_calls[]?) as $new ([];
          ($new.index // length) as $at
          | .[$at] = {
              id: (.[$at].id // $new.id // "call_\($at + 1)"), type: "function",
              function: {
                name: (.[$at].function.name // $new.function.name),
                arguments: ((.[$at].function.arguments // "") + ($new.function.arguments // ""))
              }
            })
      | {role: "assistant", content: (if $text == "" then null else $text end),
         tool_calls: map(values)}' "$work/events" > "$work/said"
    jq -s '.[0] + [.[1][].choices[0]?.delta.images[]?.image_url.url
        | capture("^data:(?<type>[^;,]+);base64,(?<data>.*)$")]' \
      "$work/media" "$work/events" > "$work/next" && mv "$work/next" "$work/media"
    jq '[.tool_calls[] | {name: .function.name, args: (.function.arguments | fromjson? // {}), id}]' \
      "$work/said" > "$work/calls"
    if [ -z "$results" ] || [ "$hop" -gt "$hops" ] || [ "$(jq length "$work/calls")" -eq 0 ]; then
      break
    fi
    look_up
    jq --slurpfile said "$work/said" --slurpfile calls "$work/calls" \
      --slurpfile answers "$work/answers" '
      .messages += $said + [range($calls[0] | length) as $i
        | {role: "tool", tool_call_id: $calls[0][$i].id, content: $answers[0][$i]}]' \
      "$work/asked" > "$work/next"
    mv "$work/next" "$work/asked"
  done
  rm -f "$work/before"
  jq -j '.content // ""' "$work/said" > "$work/text"
  [ -n "$quiet" ] || [ ! -s "$work/text" ] || echo
  if [ -n "$history" ] && [ -s "$work/text" ]; then
    jq -n --slurpfile past "$history" --slurpfile asked "$work/asked" --slurpfile said "$work/said" '
      $past[0] + $asked[0].messages + [$said[0] | del(.tool_calls)]' > "$work/next"
    mv "$work/next" "$history"
  fi
}


# Asks for pictures what standard input says: an address, the header with the key, and for each
# picture that is to be edited the file beside this script, its name and its type.
draw_openai() {
  local url="$1" header="$2" field form=() part="image"
  shift 2
  cat > "$work/body"
  if [ $# -eq 0 ]; then
    form=(-H 'Content-Type: application/json' --data-binary "@$work/body")
  else
    for field in $(jq -r 'keys[]' "$work/body"); do
      jq -j ".$field" "$work/body" > "$work/field_$field"
      form+=(-F "$field=<$work/field_$field")
    done
    [ $# -le 3 ] || part="image[]"
    while [ $# -gt 0 ]; do
      form+=(-F "$part=@\"$here/$1\";filename=\"$2\";type=$3")
      shift 3
    done
  fi
  curl -gsSN -H @<(printf '%s\n' "$header") -D "$work/head" "${form[@]}" "$url" > "$work/answer"
  check_status
  jq '[.data[]? | .b64_json // empty | {type: "image/png", data: .}]' "$work/answer" \
    > "$work/media"
  printf '' > "$work/text"
}


# Writes the pictures and sounds of the last answer to files named after its argument.
save() {
  local number=0 type data
  mkdir -p "$(dirname -- "$1")"
  jq -r '.[] | [.type, .data] | @tsv' "$work/media" | while IFS=$'\t' read -r type data; do
    number=$((number + 1))
    type="${type%%;*}"
    type="${type##*[/+]}"
    type="${type//[^A-Za-z0-9]/}"
    case "$type" in jpeg) type=jpg ;; mpeg) type=mp3 ;; esac
    printf '%s' "$data" | base64 -d > "$1_$number.$type"
    printf 'saved %s\n' "$1_$number.$type" >&2
  done
}
