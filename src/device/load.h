// How a device is asked to load what was prepared on it, and what it tells meanwhile.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace braid {

class FilePages;

enum class LoadStage {
  kPacking,  // the file's weights into the device's layout, in memory
  kCaching,  // the same, into a file on the disk
  kSyncing   // the disk is writing that file
};

struct LoadProgress {
  LoadStage stage;
  size_t done, total;  // bytes as they are packed
};

struct LoadHooks {
  // Called on the caller's thread many times a second. What it throws ends the loading in good
  // order: no half-written file stays.
  std::function<void(const LoadProgress&)> progress{};
  // A line for the user, when something went another way than asked.
  std::function<void(const std::string&)> note{};
};

struct LoadRequest {
  std::string name{};  // the model's, for the names of files
  const FilePages* pages =
      nullptr;  // of the files that hold the weights; null: they stay in memory
  LoadHooks hooks{};
};

}  // namespace braid
