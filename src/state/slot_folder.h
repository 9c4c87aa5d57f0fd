// Conversations that clients save under names of their own, and bring back: files as the disk
// cache has them (disk_file.h), each with a whole line of tokens.
//
// A file serves the model, program, device and cache types that wrote it. Realms with a name keep
// theirs in a folder each, so that no name of one is told, overwritten or read by another. Nothing
// goes by itself; what would exceed the bound of all together is not saved. For several threads.
#pragma once

#include "state/disk_file.h"
#include "state/realm_names.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace braid {

// What a sequence left after its tokens, to go on from.
struct SlotState {
  std::vector<int32_t> tokens;
  std::shared_ptr<const RecurrentSnapshot> recurrent;
  KvPart rows;  // of all tokens
  uint32_t mark = 0;
};

struct SlotFolderOptions {
  std::string folder;
  std::string key;                    // as DiskCacheOptions has them
  std::map<int, std::string> realms;  // those without a name share the folder itself
  size_t bytes = size_t{16} << 30;    // of all files in the folder and those below
};

// There is no room within SlotFolderOptions::bytes.
class SlotFolderFull : public Error {
 public:
  using Error::Error;
};

// Letters, digits, '.', '-' and '_', at most 100, no '.' in front and no ".part", which files
// on their way have, at the end.
bool is_slot_file_name(const std::string& name);

class SlotFolder {
 public:
  // Makes the folder for this user alone, or takes the one that is there. Throws Error when it
  // cannot be used, or others may write into it. The pool outlives it, and is asked for shapes
  // alone.
  SlotFolder(const StatePool& pool, SlotFolderOptions options);

  // The bytes that were written, in place of what had the name; at once or not at all. Throws
  // Error, SlotFolderFull.
  size_t save(int realm, const std::string& name, const SlotState& state);
  struct Loaded {
    SlotState state;
    size_t bytes = 0;
  };
  // Nothing when there is no such file. Throws Error when it is not whole or serves other settings.
  std::optional<Loaded> load(int realm, const std::string& name);

 private:
  std::string folder_of(int realm) const;
  void check_room(const std::string& path, size_t bytes) const;

  const StatePool& pool_;
  SlotFolderOptions options_;
  DiskKey key_;
  std::optional<RealmNames> names_;
  std::mutex writing_;
};

}  // namespace braid
