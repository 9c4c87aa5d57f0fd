// What a server takes from its clients, and for how long. Seconds of 0: no limit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace braid {

struct HttpLimits {
  int connections = 1024;  // more are told 503
  // From their last byte until the answer's, and until the handler has done with those whose client
  // went; more are told 503.
  int requests = 512;
  size_t head_bytes = size_t{32} << 10;
  size_t body_bytes = size_t{32} << 20;     // of one request; a larger one is told 413
  size_t bodies_bytes = size_t{256} << 20;  // of all at a time; more is told 503
  size_t unread_bytes = size_t{4} << 20;    // of an answer in pieces; who reads slower is dropped
  // Of all answers that clients have not read. Beyond 64 KiB nobody may have more unread than is
  // left of it, so those go that hold much, and who reads is not hurt; an answer that is whole is
  // told 503.
  size_t answers_bytes = size_t{256} << 20;
  double head_seconds = 15;     // from the connection to the end of the head
  double body_seconds = 120;    // from there to the end of the body
  double idle_seconds = 90;     // between requests of a connection
  double stalled_seconds = 60;  // while the client takes nothing of an answer
  int workers = 4;              // threads that run handlers
};

}  // namespace braid
