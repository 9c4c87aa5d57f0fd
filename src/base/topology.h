// The processors that this process may use and how they lie: cores, last caches, memory nodes; and
// where the threads of a team should run on them.
//
// Read from /proc and /sys. Affinity masks and cpusets narrow the processors, the quota of the
// control groups narrows the number of threads. What cannot be read is taken as the plainest there
// is: one node, one cache, a core for each processor.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

struct Processor {
  int cpu = 0;        // the system's number
  int core = 0;       // the lowest processor of its core
  int cache = 0;      // the lowest processor that shares its last cache: on AMD a CCX
  int node = 0;       // of memory
  int package = 0;    // socket
  int place = 0;      // among the processors of its core that may be used: 0, 1 for a hyper-thread
  bool weak = false;  // a core of a slower kind: Intel's E cores, ARM's little ones
};

// How firmly threads are bound. kAuto: to their memory node where there are several, to the strong
// cores where there are weak ones, otherwise not at all: the system then moves threads away from
// processors that others use. The firmer kinds are for machines that do nothing else.
enum class Pin { kAuto, kOff, kNode, kCache, kCore };
// "auto", "off", "node", "cache", "core". Throws Error for another one.
Pin pin_of(std::string_view name);

struct ThreadPlace {
  std::vector<int> cpus{};  // that the thread may run on; empty: wherever the system likes
  int node = 0;             // 0 .. Placement::nodes - 1
};

struct Placement {
  std::vector<ThreadPlace> threads{};  // empty: none is bound
  int nodes = 1;                       // that the threads are bound to; 1 when they are not
};

struct Topology {
  std::vector<Processor> processors{};  // sorted by node, cache, core
  std::optional<double> quota{};        // of the control groups, in processors

  int cores() const;
  int strong_cores() const;
  int caches() const;  // last ones
  int nodes() const;
  int packages() const;

  // One for each strong core, at most what the quota allows: a thread that is throttled or slow
  // holds up all others at the end of each phase.
  int default_threads() const;

  // Places for so many threads: a strong core for each, spread evenly over nodes and caches, then
  // weak cores, then second places. Neighbours in number are neighbours on the machine.
  Placement place(int threads, Pin pin) const;
};

// Reads ROOT/proc and ROOT/sys; the root is "" but in tests.
Topology read_topology(const std::string& root);

// That of this process, as it was when first asked for: before any thread was bound.
const Topology& this_topology();

// The processors' worth of time that the control groups of this process grant; nothing: no limit.
std::optional<double> cpu_quota(const std::string& root);

}  // namespace braid
