#include "sample/stop_matcher.h"

#include <algorithm>

#include "base/check.h"
#include "text/unicode.h"

namespace braid {

void StopMatcher::Stop::step(char byte) {
  while (matched > 0 && text[matched] != byte) matched = border[matched];
  if (text[matched] == byte) ++matched;
}

StopMatcher::StopMatcher(const std::vector<std::string>& stops) {
  for (const std::string& text : stops) {
    if (text.empty())
      fail("stop string {} of {} is empty; leave it out", stops_.size(), stops.size());
    if (find_broken_utf8(text) != std::string::npos) {
      fail("stop string {} of {} is not UTF-8", stops_.size(), stops.size());
    }
    Stop stop{.text = text, .border = std::vector<size_t>(text.size() + 1, 0), .matched = 0};
    for (size_t n = 1; n < text.size(); ++n) {
      stop.step(text[n]);
      stop.border[n + 1] = stop.matched;
    }
    stop.matched = 0;
    stops_.push_back(std::move(stop));
  }
}

bool StopMatcher::feed(std::string_view text, std::string& out) {
  size_t held = 0;  // of the end of held_, what may become a stop string
  for (size_t i = 0; i < text.size() && !stopped(); ++i) {
    held_ += text[i];
    held = 0;
    for (size_t s = 0; s < stops_.size(); ++s) {
      Stop& stop = stops_[s];
      stop.step(text[i]);
      held = std::max(held, stop.matched);
      if (stop.matched < stop.text.size()) continue;
      if (!stopped() || stop.text.size() > matched().size()) matched_ = static_cast<int>(s);
    }
  }
  if (stopped()) {
    const size_t before = held_.size() - std::min(held_.size(), matched().size());
    out.append(held_, 0, before);
    held_.clear();
  } else if (!text.empty()) {
    out.append(held_, 0, held_.size() - held);
    held_.erase(0, held_.size() - held);
  }
  return stopped();
}

void StopMatcher::finish(std::string& out) {
  out += held_;
  held_.clear();
  for (Stop& stop : stops_) stop.matched = 0;
}

std::string_view StopMatcher::matched() const {
  return stopped() ? std::string_view(stops_[static_cast<size_t>(matched_)].text)
                   : std::string_view();
}

}  // namespace braid
