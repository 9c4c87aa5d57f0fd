// A request on its way, for the scheduler's source files alone.
#pragma once

#include "engine/scheduler.h"

#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace braid {

// Which the sampler alone needs from then on.
inline SamplerOptions sampling_of(Request& request) {
  SamplerOptions options = std::move(request.sampling);
  options.ends = request.end_tokens;
  return options;
}

// A request on its way. What it is worth is `tokens`: prompt and answer so far. Until it starts it
// has the prompt alone, which others may share. Its sequence runs
// after them, all but the last token at the most while it decodes, and may be taken away and begun
// anew at any time.
struct Scheduler::Job {
  Job(RequestId number, Request&& from, const SamplerVocabulary& vocabulary)
      : id(number), request(std::move(from)), sampler(sampling_of(request), vocabulary) {}

  int64_t prompt() const { return static_cast<int64_t>(request.prompt.size()); }
  const std::vector<int32_t>& line() const {
    return tokens.empty() ? request.prompt.get() : tokens;
  }
  int64_t answer() const { return static_cast<int64_t>(line().size()) - prompt(); }
  int64_t length() const { return sequence ? sequence->length() : 0; }
  int64_t pending() const { return static_cast<int64_t>(line().size()) - length(); }
  bool suspect() const { return length() >= suspect_from && length() < suspect_until; }
  bool decoding() const { return pending() == 1 && answer() > 0; }

  RequestId id;
  Request request;
  int slot = -1;  // from its start on
  Clock::time_point submitted;
  int64_t pages = 0;  // that it may need at the most
  int64_t most = 0;   // tokens of the answer
  std::vector<int32_t> tokens;
  Sampler sampler;
  std::optional<Sequence> sequence;
  std::vector<PlannedMark> marks;  // to come, the next one last
  Outcome outcome;
  bool started = false, ended = false;
  // Rows that a step had which failed: past them, and on the way back to them, it is as good as
  // any.
  int64_t suspect_from = 0, suspect_until = 0;
  // Another request, by which it waits until that has come so far; 0: none.
  RequestId waits_for = 0;
  int64_t waits_until = 0;
  bool wants_disk = false, asked_disk = false;
  std::unique_ptr<DiskState> state;  // read from the disk, to start from
  int64_t state_usable = 0;
  int64_t returned_to = 0;   // where it went on after its last step back
  int marks_for_others = 0;  // planned for those that wait for this one
};

// What the exception says that is being handled.
inline std::string caught() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception without a text";
  }
}

inline double seconds_between(std::chrono::steady_clock::time_point from,
                              std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace braid
