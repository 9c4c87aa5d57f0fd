#include "sample/ban_filter.h"

#include "text/unicode.h"

#include <algorithm>

namespace braid {
namespace {

// What expressions may look back at, in bytes.
constexpr size_t kBefore = 4 * BannedTexts::kLookBehind;

}  // namespace

BanFilter::BanFilter(std::shared_ptr<const BannedTexts> banned, const Tokenizer& tokenizer,
                     const BanOptions& options)
    : banned_(std::move(banned)),
      tokenizer_(tokenizer),
      options_(options),
      most_in_place_(options.most_rewinds >= 0
                         ? options.most_rewinds
                         : std::max<int64_t>(20, 2 * static_cast<int64_t>(banned_->size()))) {}

std::vector<int32_t> BanFilter::token(int32_t id) {
  const size_t known = text_.size();
  Held held{id, decoder_, known, 0, 0};
  if (!tokenizer_.is_control(id)) decoder_.feed(tokenizer_.bytes(id), text_);
  held.end = text_.size();
  held_.push_back(held);
  BannedTexts::Found found = banned_->find(text_, open_, false, known);
  if (found.begin != BannedTexts::npos) return take_back(found.begin);
  held_.back().open = std::min(found.open, text_.size());
  const size_t free = owner(found.open);
  const auto most = static_cast<size_t>(options_.most_held);
  if (held_.size() - free > most && banned_->has_expressions()) {
    found = banned_->find(text_, open_, true, text_.size());
    if (found.begin != BannedTexts::npos) return take_back(found.begin);
    release(held_.size() - most);
    open_ = held_.front().begin;
    return {};
  }
  release(free);
  return {};
}

std::vector<int32_t> BanFilter::finish() {
  if (held_.empty()) return {};
  const BannedTexts::Found found = banned_->find(text_, open_, true, text_.size());
  if (found.begin == BannedTexts::npos) return {};
  return take_back(found.begin);
}

// The token in which the character at this byte begins. Behind the text: the one in which the
// character begins that is not whole yet; their number when there is none.
size_t BanFilter::owner(size_t at) const {
  const auto after =
      std::find_if(held_.begin(), held_.end(), [&](const Held& held) { return at < held.end; });
  auto i = static_cast<size_t>(after - held_.begin());
  if (i == held_.size()) {
    if (decoder_.held_bytes() == 0) return i;
    --i;
  }
  while (i > 0 && held_[i].before.held_bytes() > 0) --i;
  return i;
}

std::vector<int32_t> BanFilter::take_back(size_t at) {
  const size_t first = owner(at);
  std::vector<int32_t> ids;
  for (size_t i = first; i < held_.size(); ++i) ids.push_back(held_[i].id);
  decoder_ = held_[first].before;
  text_.resize(held_[first].begin);
  held_.erase(held_.begin() + static_cast<ptrdiff_t>(first), held_.end());
  ++in_place_;
  ++rewinds_;
  taken_back_ += static_cast<int64_t>(ids.size());
  return ids;
}

void BanFilter::release(size_t n) {
  if (n == 0) return;
  in_place_ = 0;
  open_ = held_[n - 1].open;
  held_.erase(held_.begin(), held_.begin() + static_cast<ptrdiff_t>(n));
  const size_t begin = held_.empty() ? text_.size() : held_.front().begin;
  if (begin < 4 * kBefore || open_ < kBefore) return;
  size_t cut = std::min(begin, open_) - kBefore;
  while ((static_cast<unsigned char>(text_[cut]) & 0xC0) == 0x80) ++cut;
  text_.erase(0, cut);
  open_ -= cut;
  for (Held& held : held_)
    held.begin -= cut, held.end -= cut, held.open -= std::min(held.open, cut);
}

}  // namespace braid
