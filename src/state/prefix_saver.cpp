#include "state/prefix_saver.h"

#include "base/check.h"

#include <algorithm>
#include <new>

namespace braid {

bool PrefixSaver::begin(double worth) {
  if (looked_at_ == tree_.version() && worth >= looked_for_) return false;
  current_ = tree_.most_worth_saving(worth, [&](int realm) { return disk_.takes(realm); });
  DiskCache::Begun begun = DiskCache::Begun::kNotNow;
  if (current_)
    begun = disk_.begin(current_->realm, current_->tokens, current_->recurrent->bytes());
  if (begun == DiskCache::Begun::kNotNow) {
    looked_at_ = tree_.version();
    looked_for_ = worth;
    current_.reset();
    return false;
  }
  if (begun != DiskCache::Begun::kYes) {
    tree_.note_saved(current_->tokens, current_->realm);
    current_.reset();
  }
  return true;
}

bool PrefixSaver::some(double worth) {
  try {
    return !disk_.busy() && next_part(worth);
  } catch (const std::bad_alloc&) {
    if (!disk_.saving()) current_.reset();
    return false;
  }
}

bool PrefixSaver::next_part(double worth) {
  if (!current_) return begin(worth);
  KvPart part{disk_.next_first(), disk_.next_rows(), {}};
  if (disk_.failed() || !tree_.copy_rows(current_->tokens, current_->realm, part)) {
    disk_.drop();
  } else if (part.rows == disk_.run_tokens()) {
    disk_.add_run(std::move(part));
    return true;
  } else {
    tree_.note_saved(current_->tokens, current_->realm);
    disk_.finish(std::move(current_->recurrent), static_cast<uint32_t>(current_->mark),
                 std::move(part));
  }
  current_.reset();
  return true;
}

void PrefixSaver::note_restored(const Sequence& sequence, uint32_t mark, int realm) {
  const auto kind = static_cast<Mark>(std::min<uint32_t>(mark, kMarks - 1));
  if (tree_.store(sequence, sequence.length(), kind, false, realm))
    tree_.note_saved(sequence.tokens(), realm);
}

}  // namespace braid
