// Slots as llama-server's clients know them. A request that runs has the lowest number that was
// free when it started; Braid itself has none, all share one tree.
#pragma once

#include "engine/request.h"
#include "state/slot_folder.h"

#include <cstdint>

namespace braid {

struct SlotInfo {
  RequestId id = 0;  // 0: nothing runs there
  int realm = 0;
  int64_t prompt = 0, cached = 0;  // tokens
  int64_t done = 0;                // of the prompt
  int64_t answer = 0, most = 0;    // tokens so far, and at the most
};

// There is nothing to be done with: another slot number may have it, or another time.
class SlotEmpty : public Error {
 public:
  using Error::Error;
};
class SlotBusy : public Error {
 public:
  using Error::Error;
};

}  // namespace braid
