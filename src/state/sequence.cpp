#include "state/sequence.h"

#include "base/check.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace braid {

int64_t rewind_floor(int64_t furthest) {
  const int64_t oldest_block = (furthest / kBlock - 1) * kBlock;  // whose S is still held
  const int64_t oldest_row = furthest - kRing;
  return std::max({int64_t{0}, oldest_block, oldest_row + kConvHistory});
}

Sequence::Sequence(StatePool& pool) : Sequence(pool, pool.take_slot()) {}

Sequence::Sequence(Sequence&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      slot_(std::exchange(other.slot_, 0)),
      pages_(std::exchange(other.pages_, {})),
      tokens_(std::exchange(other.tokens_, {})),
      reserved_(std::exchange(other.reserved_, 0)),
      furthest_(std::exchange(other.furthest_, 0)),
      base_floor_(std::exchange(other.base_floor_, 0)),
      last_rows_(std::exchange(other.last_rows_, 0)) {}

Sequence& Sequence::operator=(Sequence&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  slot_ = std::exchange(other.slot_, 0);
  pages_ = std::exchange(other.pages_, {});
  tokens_ = std::exchange(other.tokens_, {});
  reserved_ = std::exchange(other.reserved_, 0);
  furthest_ = std::exchange(other.furthest_, 0);
  base_floor_ = std::exchange(other.base_floor_, 0);
  last_rows_ = std::exchange(other.last_rows_, 0);
  return *this;
}

Sequence::~Sequence() { release(); }

void Sequence::release() {
  if (!pool_) return;
  for (int32_t page : pages_) pool_->release_page(page);
  pages_.clear();
  pool_->release_slot(slot_);
  pool_ = nullptr;
}

int64_t Sequence::floor() const {
  if (!pool_->spec().has_recurrent()) return 0;  // keys and values can be cut anywhere
  return std::max(base_floor_, rewind_floor(furthest_));
}

void Sequence::reserve(int64_t n) {
  CHECK_THAT(n >= 0, "{} tokens", n);
  CHECK_THAT(length() >= floor(), "abandoned at {} tokens, the state reaches back to {}", length(),
             floor());
  const int64_t end = length() + n;
  if (end > std::numeric_limits<int32_t>::max())
    fail("a sequence of {} tokens: more than {} are not possible; start a new one", end,
         std::numeric_limits<int32_t>::max());
  const int64_t held = static_cast<int64_t>(pages_.size());
  const int64_t missing = std::max(int64_t{0}, StatePool::pages_for(end) - held);
  // Pages after `length` are this sequence's own, so only the partly filled one can be shared.
  const bool partial = n > 0 && length() % kPageTokens != 0;
  const size_t last = static_cast<size_t>(length() / kPageTokens);
  const bool shared = partial && pool_->references(pages_[last]) > 1;
  if (missing + shared > pool_->free_pages())
    fail(
        "{} more tokens after {} need {} pages of {} tokens, {} are free; raise the context (-c) "
        "or run "
        "fewer sequences at a time",
        n, length(), missing + shared, kPageTokens, pool_->free_pages());

  pages_.reserve(pages_.size() + static_cast<size_t>(missing));
  // Twice as much each time: a sequence grows token by token.
  if (const auto tokens = static_cast<size_t>(end); tokens > tokens_.capacity())
    tokens_.reserve(std::max(tokens, 2 * tokens_.capacity()));
  if (shared) {
    const int32_t own = pool_->clone_page(pages_[last]);
    pool_->release_page(std::exchange(pages_[last], own));
  }
  for (int64_t i = 0; i < missing; ++i) pages_.push_back(pool_->take_page());
  reserved_ = std::max(reserved_, end);
}

void Sequence::unshare(int64_t from) {
  CHECK_THAT(from >= 0, "position {}", from);
  for (size_t i = static_cast<size_t>(from / kPageTokens); i < pages_.size(); ++i) {
    if (pool_->references(pages_[i]) == 1) continue;
    const int32_t own = pool_->clone_page(pages_[i]);
    pool_->release_page(std::exchange(pages_[i], own));
  }
}

void Sequence::advance(std::span<const int32_t> tokens) {
  const int64_t end = length() + static_cast<int64_t>(tokens.size());
  CHECK_THAT(end <= reserved_, "{} tokens written, {} reserved", end, reserved_);
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  furthest_ = std::max(furthest_, end);
  last_rows_ = static_cast<int64_t>(tokens.size());
}

bool Sequence::abandon(int64_t n) {
  CHECK_THAT(n >= 0 && length() + n <= reserved_, "{} rows after {}, {} reserved", n, length(),
             reserved_);
  furthest_ = std::max(furthest_, length() + n);
  last_rows_ = 0;
  return length() >= floor();
}

bool Sequence::survives(int64_t n) const {
  if (!pool_->spec().has_recurrent()) return true;
  return length() >= std::max(base_floor_, rewind_floor(std::max(furthest_, length() + n)));
}

void Sequence::commit(int64_t accepted) {
  CHECK_THAT(accepted >= 0 && accepted <= last_rows_, "{} accepted of {} rows", accepted,
             last_rows_);
  rewind(last_rows_ - accepted);
}

void Sequence::rewind(int64_t n) {
  CHECK_THAT(n >= 0, "{} tokens", n);
  if (n > length()) fail("cannot step back by {} tokens: the sequence has {}", n, length());
  if (n == 0) return;
  const int64_t target = length() - n;
  if (target < floor())
    fail(
        "cannot step back from {} tokens to {}: the recurrent state reaches back to {}; restore a "
        "snapshot "
        "of at most {} tokens and run the rest again",
        length(), target, floor(), target);
  drop_pages(target);
  tokens_.resize(static_cast<size_t>(target));
  reserved_ = target;  // the last page may be shared: reserve() looks
  last_rows_ = 0;
}

void Sequence::truncate(int64_t length) {
  CHECK_THAT(length >= 0 && length <= this->length(), "{} of {} tokens", length, this->length());
  if (length == 0)
    reset();
  else
    rewind(this->length() - length);
}

void Sequence::reset() {
  pool_->zero_slot(slot_);
  drop_pages(0);
  tokens_.clear();
  reserved_ = furthest_ = base_floor_ = last_rows_ = 0;
}

void Sequence::drop_pages(int64_t length) {
  const size_t keep = static_cast<size_t>(StatePool::pages_for(length));
  while (pages_.size() > keep) {
    pool_->release_page(pages_.back());
    pages_.pop_back();
  }
}

Sequence Sequence::fork() const {
  CHECK_THAT(length() >= floor(), "abandoned at {} tokens, the state reaches back to {}", length(),
             floor());
  Sequence child(*pool_, pool_->clone_slot(slot_));
  child.pages_.reserve(pages_.size());
  const size_t full = static_cast<size_t>(length() / kPageTokens);
  for (size_t i = 0; i < full; ++i) {
    pool_->add_ref(pages_[i]);
    child.pages_.push_back(pages_[i]);
  }
  // Copied at once: the parent may have it reserved for a step and would not look again.
  if (length() % kPageTokens != 0) child.pages_.push_back(pool_->clone_page(pages_[full]));
  child.tokens_ = tokens_;
  child.reserved_ = length();
  child.furthest_ = furthest_;
  child.base_floor_ = base_floor_;
  return child;
}

}  // namespace braid
