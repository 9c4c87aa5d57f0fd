#include "state/slot_folder.h"

#include "base/check.h"
#include "state/disk_folder.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace braid {
namespace {

// Of all files in it and below it; those that go meanwhile do not count.
size_t bytes_below(const std::string& folder) {
  namespace fs = std::filesystem;
  size_t bytes = 0;
  std::error_code failed;
  fs::recursive_directory_iterator at(folder, failed);
  for (; !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
    std::error_code gone;
    const bool file = at->symlink_status(gone).type() == fs::file_type::regular;
    const uintmax_t size = file ? at->file_size(gone) : 0;
    if (!gone) bytes += static_cast<size_t>(size);
  }
  return bytes;
}

}  // namespace

bool is_slot_file_name(const std::string& name) {
  constexpr size_t kMost = 100;
  return !name.empty() && name.size() <= kMost && name[0] != '.' && !name.ends_with(".part") &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

SlotFolder::SlotFolder(const StatePool& pool, SlotFolderOptions options)
    : pool_(pool), options_(std::move(options)), key_(disk_key(pool, options_.key, 0)) {
  if (!make_own_folder(options_.folder, false))
    fail(
        "{}: others may write into it, so nothing in it can be believed: give a folder of this "
        "user's own (chmod go-w)",
        options_.folder);
  if (!options_.realms.empty()) names_.emplace(options_.folder);
  for (const auto& [realm, name] : options_.realms) make_own_folder(folder_of(realm), true);
}

std::string SlotFolder::folder_of(int realm) const {
  const auto found = options_.realms.find(realm);
  if (found == options_.realms.end()) return options_.folder;
  return fmt::format("{}/.{:016x}", options_.folder, names_->of(found->second));
}

size_t SlotFolder::save(int realm, const std::string& name, const SlotState& state) {
  CHECK(is_slot_file_name(name) && state.rows.first == 0 &&
        state.rows.rows == static_cast<int64_t>(state.tokens.size()));
  DiskEntry entry;
  entry.file = name;
  entry.state = true;
  entry.tokens = state.tokens;
  entry.floor = state.recurrent->floor;
  entry.mark = state.mark;
  // Two that save under one name would write into the same unfinished file.
  const std::lock_guard guard(writing_);
  const size_t bytes = disk_file_bytes(entry, state.recurrent.get(), state.rows.bytes.size());
  check_room(folder_of(realm) + "/" + name, bytes);
  write_disk_file(folder_of(realm), key_, entry, state.recurrent.get(), state.rows.bytes);
  return bytes;
}

// Beside what stays when the file of this path has been replaced.
void SlotFolder::check_room(const std::string& path, size_t bytes) const {
  std::error_code none;
  const uintmax_t replaced = std::filesystem::file_size(path, none);
  const size_t all = bytes_below(options_.folder);
  const size_t others = none ? all : all - std::min(all, static_cast<size_t>(replaced));
  if (bytes <= options_.bytes && others <= options_.bytes - bytes) return;
  throw SlotFolderFull(fmt::format(
      "it takes {} bytes, what was saved before has {}, and {} are allowed for all: save it under "
      "a name that may be overwritten, delete files, or start the server with a larger "
      "--slot-save-disk",
      bytes, others, options_.bytes));
}

std::optional<SlotFolder::Loaded> SlotFolder::load(int realm, const std::string& name) {
  CHECK(is_slot_file_name(name));
  const std::string folder = folder_of(realm);
  if (std::error_code failed; !std::filesystem::exists(folder + "/" + name, failed)) return {};
  const DiskEntry entry = read_disk_entry(folder, name, key_, DiskName::kOwn);
  const std::string path = folder + "/" + name;
  DiskPayload payload = read_disk_payload(folder, key_, entry);
  if (!entry.state || entry.first != 0 || entry.tokens.empty())
    throw Damaged(fmt::format("{}: is no whole conversation", path));
  check_sizes(pool_, entry, payload, path);
  Loaded loaded;
  loaded.bytes = entry.bytes;
  loaded.state.tokens = entry.tokens;
  loaded.state.mark = entry.mark;
  loaded.state.rows = {0, static_cast<int64_t>(entry.tokens.size()), std::move(payload.rows)};
  loaded.state.recurrent = std::make_shared<RecurrentSnapshot>(
      RecurrentSnapshot{entry.floor, std::move(payload.blocks), std::move(payload.conv)});
  return loaded;
}

}  // namespace braid
