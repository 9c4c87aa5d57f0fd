// What a server takes from its clients, and for how long. Seconds of 0: no limit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace braid {

struct HttpLimits {
  int connections = 1024;  // more are told 503
  int requests = 512;      // between their last byte and the answer's; more are told 503
  size_t head_bytes = size_t{32} << 10;
  size_t body_bytes = size_t{32} << 20;     // of one request; a larger one is told 413
  size_t bodies_bytes = size_t{256} << 20;  // of all at a time; more is told 503
  size_t unread_bytes = size_t{4} << 20;    // of an answer in pieces; who reads slower is dropped
  double head_seconds = 15;                 // from the connection to the end of the head
  double body_seconds = 120;                // from there to the end of the body
  double idle_seconds = 90;                 // between requests of a connection
  double stalled_seconds = 60;              // while the client takes nothing of an answer
  int workers = 4;                          // threads that run handlers
};

}  // namespace braid
