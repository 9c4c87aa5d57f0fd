# shellcheck shell=bash
# Sourced by the commands: one line per stage, the rest in a log.
# A stage that fails shows the end of its log, where the log is, and what to do; its status is 1.

# stage TITLE LOG HINT COMMAND...
stage() {
  local title=$1 log=$2 hint=$3 start=$SECONDS
  shift 3
  mkdir -p "$(dirname "$log")"
  printf '%-58s ' "$title"
  if "$@" >"$log" 2>&1 </dev/null; then
    printf 'ok %4d s\n' $((SECONDS - start))
    return 0
  fi
  printf 'FAILED\n'
  {
    # Compilers say most after the first error; the end of the log alone would hide it.
    { head -n -20 "$log" | grep -m 1 -E '(error|Error|ERROR)[: ]' || true; } | cut -c 1-300 | sed 's/^/  | /; $a\  | ...'
    tail -n 20 "$log" | cut -c 1-300 | sed 's/^/  | /'
    echo "$title: failed; the whole log is $log"
    echo "$hint"
  }
  return 1
}

# Compile jobs at once: every core, but no more than memory has room for (1 GB each).
compile_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable:/ {print int($2 / 1000000)}' /proc/meminfo 2>/dev/null || true)
  [[ ${memory:-0} -ge 1 ]] || memory=1
  echo $((cores < memory ? cores : memory))
}

# build PRESET FOLDER TITLE: configures when that is needed, and builds.
build() {
  local preset=$1 folder=$2 title=$3
  local cache=$folder/CMakeCache.txt stamp=$folder/log/configured
  # --fresh: a folder that was moved, copied or half configured is no obstacle.
  if [[ ! -f $folder/build.ninja || CMakePresets.json -nt $stamp ]] ||
    ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$(pwd -P)" "$cache"; then
    stage "configure $title" "$folder/log/configure.log" \
      "If a package is missing, scripts/install-deps installs it on Debian 12 and lists it elsewhere." \
      cmake --fresh --preset "$preset" || return 1
    touch "$stamp"
  fi
  stage "build $title" "$folder/log/build.log" \
    "If it was killed, memory ran out: close something. If it persists: rm -rf $folder, and try again." \
    cmake --build "$folder" -j "$(compile_jobs)"
}

# main_job PROGRAM: the demo model answers, as it comes. Greedy: the same words on every machine but for rounding.
main_job() {
  echo "The demo model is asked: Tell me a story about a lantern."
  "$1" run --chat --no-think --temp 0 -n 300 --stats -p "Tell me a story about a lantern."
}
