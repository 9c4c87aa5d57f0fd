// The folder of a disk cache: one for each key, in a folder of all of them, which share a budget.
//
// Whoever has one holds its lock and is alone in it. It is for its owner: one of another user, or a
// link, is refused; one that others could write into is emptied, since nothing in it can be
// believed. Folders that no process uses go as a whole when the budget wants it, those that were
// used longest ago first.
#pragma once

#include "state/disk_file.h"
#include "state/realm_names.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace braid {

// Makes the folder, and those above it, for this user alone, or takes the one that is there, and
// closes it to others if it is Braid's own and not one that somebody chose. False when others could
// have written into it until now. Throws Error when it cannot be used, or belongs to another user.
bool make_own_folder(const std::string& path, bool close);

class DiskFolder {
 public:
  // From any of its calls: what went wrong, and whether a file was damaged.
  using Trouble = std::function<void(const std::string&, bool damaged)>;

  // Throws Error when it cannot be used, or another process has it.
  DiskFolder(std::string above, const DiskKey& key, const Trouble& trouble);
  ~DiskFolder();
  DiskFolder(const DiskFolder&) = delete;
  DiskFolder& operator=(const DiskFolder&) = delete;

  const std::string& path() const { return path_; }
  const DiskKey& key() const { return key_; }
  uint64_t realm(const std::string& name) const { return names_->of(name); }

  // The header of every whole file, by position; others are told of and deleted. What a process
  // that was killed left unnamed goes, too.
  std::vector<DiskEntry> entries(const Trouble& trouble) const;
  void remove(const std::vector<DiskEntry>& gone) const;

  struct Others {
    size_t bytes = 0;       // of their files
    size_t used_bytes = 0;  // of those that a process keeps
    int users = 0;          // so many processes
  };
  // Counts the other folders, and removes of those without a process what does not fit the budget
  // beside `own` bytes.
  Others make_room_among_others(size_t own, size_t budget) const;

 private:
  void lock();

  std::string above_, path_;
  DiskKey key_;
  int lock_ = -1;
  std::optional<RealmNames> names_;  // once the folder is locked
};

}  // namespace braid
