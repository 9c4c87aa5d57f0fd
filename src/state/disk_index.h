// What the disk tier has, by its tokens: lines of runs, with states that hang on their ends.
//
// A run is the next run_tokens tokens of a line, so lines that begin alike share their runs; a
// state stands up to that many tokens behind a run, or behind the start. Tokens are compared, never
// hashes of them. What nobody needs goes: a run with the last state or hold behind it.
//
// Files are somebody else's business: whatever goes is told to the caller. Not for several threads.
#pragma once

#include "state/disk_file.h"

#include <map>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace braid {

class DiskIndex {
 public:
  explicit DiskIndex(int64_t run_tokens) : run_tokens_(run_tokens) {}

  // False for what belongs nowhere: its parent is missing, or something like it is here already.
  bool add(DiskEntry entry);
  const DiskEntry& get(uint64_t id) const { return nodes_.at(id).entry; }
  bool has(uint64_t id) const { return nodes_.contains(id); }

  struct Found {
    uint64_t id = 0;  // of a state; 0: none
    int64_t usable = 0;
  };
  // The state that serves most of the tokens but the last one.
  Found find(uint64_t realm, std::span<const int32_t> tokens) const;
  // The state that stands after exactly these tokens, or 0.
  uint64_t state_at(uint64_t realm, std::span<const int32_t> tokens) const;
  // The run with these tokens behind that one, or 0.
  uint64_t next_run(uint64_t realm, uint64_t run, std::span<const int32_t> tokens) const;
  // The last of the runs that the tokens begin with, or 0.
  uint64_t last_run(uint64_t realm, std::span<const int32_t> tokens) const;
  // From the first run to this one, itself included.
  std::vector<uint64_t> line(uint64_t id) const;
  std::vector<int32_t> tokens_of(uint64_t id) const;

  void touch(uint64_t id, uint64_t now) { nodes_.at(id).entry.used = now; }
  uint64_t oldest_state() const;  // 0: there is none

  // A run that is held does not go with what is behind it. 0 may be held too.
  void hold(uint64_t id);
  std::vector<DiskEntry> release(uint64_t id);
  // Takes it out with all that is behind it and all that nobody needs then.
  std::vector<DiskEntry> remove(uint64_t id);
  std::vector<DiskEntry> remove_unneeded();  // runs without a state behind them

  size_t bytes() const { return bytes_; }
  int64_t states() const { return states_; }
  int64_t runs() const { return static_cast<int64_t>(nodes_.size()) - states_; }

 private:
  struct Node {
    DiskEntry entry;
    std::vector<uint64_t> children;
    int holds = 0;
  };
  const std::vector<uint64_t>* children_of(uint64_t realm, uint64_t id) const;
  void take_out(uint64_t id, std::vector<DiskEntry>& gone);
  void take_out_unneeded(uint64_t id, std::vector<DiskEntry>& gone);

  int64_t run_tokens_;
  std::unordered_map<uint64_t, Node> nodes_;
  std::map<uint64_t, std::vector<uint64_t>> beginnings_;  // by realm
  size_t bytes_ = 0;
  int64_t states_ = 0;
};

}  // namespace braid
