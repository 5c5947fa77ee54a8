# Runs named steps, each whatever became of those before, and adds up their counts. Sourced by .ci/run;
# $scratch is a folder for temporary files.

passed=0 failed=0 skipped=0
summary=()
log=$scratch/step.log

# step NAME COMMAND...: a command that prints "N passed, N failed[, N skipped]" counts so, any other as one test.
step() {
  local name=$1 start=$SECONDS counts p=0 f=0 s=0 status word=ok
  shift
  printf '\n=== %s\n' "$name"
  "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tail -n 1)
  if [ -n "$counts" ]; then
    read -r p f s <<<"$(tr -cs '0-9\n' ' ' <<<"$counts")"
    if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  elif [ "$status" -eq 0 ]; then
    p=1
  else
    f=1
  fi
  if [ "$f" -gt 0 ]; then word=FAILED; fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
  summary+=("$(printf '%-7s %-34s %4d passed %3d failed %3d skipped %5d s' \
    "$word" "$name" "$p" "$f" "${s:-0}" $((SECONDS - start)))")
}

# beside NAME COMMAND...: begins something that a later step waits for, in a process group of its own, by which it is ended.
declare -A beside
beside() {
  local name=$1
  shift
  set -m
  "$@" >"$scratch/$name.log" 2>&1 &
  set +m
  beside[$name]=$!
}

ended() { cat "$scratch/$1.log" && return "$2"; }

# done_beside STEP NAME: waits for it; what it printed, and how it ended, is the step's.
done_beside() {
  local status=0
  wait "${beside[$2]}" || status=$?
  unset "beside[$2]"
  step "$1" ended "$2" "$status"
}

end_beside() {
  local group
  for group in "${beside[@]}"; do kill -- "-$group" 2>/dev/null; done
}

# Prints the summary and the closing line; the result is the exit status.
finish() {
  printf '\n=== Summary, %d s\n' "$SECONDS"
  printf '%s\n' "${summary[@]}"
  printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" -eq 0 ]
}
