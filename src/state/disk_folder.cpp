#include "state/disk_folder.h"

#include "base/check.h"
#include "base/descriptor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

namespace braid {

namespace {

namespace fs = std::filesystem;

// Another process locks a folder that it does not use for as long as it takes to look.
constexpr int kLockTries = 20;
constexpr std::chrono::milliseconds kLockPause{25};

std::string reason(int error) { return std::generic_category().message(error); }

// "0123456789abcdef.state"
bool is_name(const std::string& name) {
  return name.size() > 17 && name.find_first_not_of("0123456789abcdef") == 16 &&
         (name.substr(16) == ".state" || name.substr(16) == ".run");
}

bool is_folder_name(const std::string& name) {
  return name.size() == 16 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

template <class F>
void each_file(const fs::path& folder, std::error_code& failed, F&& f) {
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed))
    f(*it, it->path().filename().string());
}

void clear_out(const fs::path& folder) {
  std::error_code failed;
  each_file(folder, failed, [](const fs::directory_entry& file, const std::string& name) {
    if (is_name(name) || name.ends_with(".part")) ::unlink(file.path().c_str());
  });
}

struct Other {
  fs::path folder;
  fs::file_time_type used = fs::file_time_type::min();
  size_t bytes = 0;
};

std::vector<Other> others_beside(const std::string& above, const fs::path& own) {
  std::vector<Other> others;
  std::error_code failed;
  each_file(above, failed, [&](const fs::directory_entry& folder, const std::string& name) {
    std::error_code gone;
    if (!is_folder_name(name) || folder.path() == own || !folder.is_directory(gone)) return;
    Other& other = others.emplace_back(Other{folder.path()});
    each_file(other.folder, gone, [&](const fs::directory_entry& file, const std::string& kind) {
      if (!is_name(kind)) return;
      // Its process may delete it in this moment.
      std::error_code vanished;
      const uintmax_t bytes = file.file_size(vanished);
      if (vanished) return;
      other.bytes += bytes;
      const fs::file_time_type used = file.last_write_time(vanished);
      if (!vanished) other.used = std::max(other.used, used);
    });
  });
  std::sort(others.begin(), others.end(),
            [](const Other& a, const Other& b) { return a.used < b.used; });
  return others;
}

}  // namespace

bool make_own_folder(const std::string& path, bool close) {
  std::error_code failed;
  if (const fs::path above = fs::path(path).parent_path(); !above.empty())
    fs::create_directories(above, failed);
  if (failed) fail("{}: cannot be made: {}", path, failed.message());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    fail("{}: cannot be made: {}", path, reason(errno));
  const Descriptor folder(
      ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status {};
  if (folder.get() < 0 || ::fstat(folder.get(), &status) != 0)
    fail("{}: cannot be used as a folder: {}", path, reason(errno));
  if (status.st_uid != ::geteuid())
    fail("{}: belongs to user {}, and this is user {}: remove it, or give another folder", path,
         status.st_uid, ::geteuid());
  if (close && (status.st_mode & 0777) != 0700 && ::fchmod(folder.get(), 0700) != 0)
    fail("{}: is open to others and cannot be closed: {}", path, reason(errno));
  return (status.st_mode & 0022) == 0;
}

DiskFolder::DiskFolder(std::string above, const DiskKey& key, const Trouble& trouble)
    : above_(std::move(above)),
      path_(fs::path(above_) / fmt::format("{:016x}", key[0])),
      key_(key) {
  const bool own = make_own_folder(path_, true);
  lock();
  try {
    if (!own) {
      clear_out(path_);
      ::unlink((path_ + "/.secret").c_str());
      trouble(fmt::format("{}: others could write into it; it was closed and emptied", path_),
              false);
    }
    names_.emplace(path_);
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

DiskFolder::~DiskFolder() { ::close(lock_); }

void DiskFolder::lock() {
  const std::string path = path_ + "/lock";
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock_ < 0) fail("{}: cannot be written: {}", path, reason(errno));
  int error = 0;
  for (int i = 0; i < kLockTries; ++i) {
    if (i > 0) std::this_thread::sleep_for(kLockPause);
    if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
    error = errno;
    if (error != EWOULDBLOCK) break;
  }
  ::close(std::exchange(lock_, -1));
  if (error == EWOULDBLOCK)
    fail("{}: another process uses it with the same model; give this one another folder", above_);
  fail("{}: cannot be locked: {}", path, reason(error));
}

std::vector<DiskEntry> DiskFolder::entries(const Trouble& trouble) const {
  std::vector<DiskEntry> entries;
  std::error_code failed;
  each_file(path_, failed, [&](const fs::directory_entry& file, const std::string& name) {
    if (name.ends_with(".part")) ::unlink(file.path().c_str());
    if (!is_name(name)) return;
    try {
      entries.push_back(read_disk_entry(path_, name, key_));
    } catch (const Damaged& error) {
      trouble(fmt::format("{}; deleted", error.what()), true);
      ::unlink(file.path().c_str());
    } catch (const Error& error) {
      trouble(error.what(), false);
    }
  });
  if (failed) fail("{}: cannot be read: {}", path_, failed.message());
  std::sort(entries.begin(), entries.end(),
            [](const DiskEntry& a, const DiskEntry& b) { return a.first < b.first; });
  return entries;
}

void DiskFolder::remove(const std::vector<DiskEntry>& gone) const {
  for (const DiskEntry& entry : gone) ::unlink((path_ + "/" + entry.name()).c_str());
}

DiskFolder::Others DiskFolder::make_room_among_others(size_t own, size_t budget) const {
  const std::vector<Other> others = others_beside(above_, path_);
  Others left;
  for (const Other& other : others) left.bytes += other.bytes;
  for (const Other& other : others) {
    const Descriptor its_lock(
        ::open((other.folder / "lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (its_lock.get() < 0) continue;
    if (::flock(its_lock.get(), LOCK_EX | LOCK_NB) != 0) {
      ++left.users;
      left.used_bytes += other.bytes;
    } else if (own + left.bytes > budget) {
      clear_out(other.folder);
      left.bytes -= other.bytes;
    }
  }
  return left;
}

}  // namespace braid
