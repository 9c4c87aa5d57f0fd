#include "server/answer_reader.h"

#include <algorithm>
#include <utility>

namespace braid {

int64_t characters_of(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

AnswerReader::AnswerReader(const Tokenizer& tokenizer, const ReaderOptions& options)
    : tokenizer_(tokenizer),
      splits_(options.splits_thinking),
      logprobs_(options.logprobs),
      n_tokens_(options.n_tokens),
      splitter_(options.begins_thinking),
      indent_(options.indent),
      stops_(options.stops) {}

std::optional<NotedToken> AnswerReader::note(int32_t id, std::span<const float> logits) const {
  if (logprobs_ < 0) return std::nullopt;
  TokenLogprobs told =
      logprobs_of(logits.first(static_cast<size_t>(n_tokens_)), id, static_cast<size_t>(logprobs_));
  return NotedToken{id, told.own, std::move(told.top), 0, 0};
}

bool AnswerReader::noted_token(int32_t id, std::optional<NotedToken> note, AnswerPiece& out) {
  if (note) open_.push_back(std::move(*note));
  const bool before = thinking();
  std::string whole;
  if (!tokenizer_.is_control(id)) decoder_.feed(tokenizer_.bytes(id), whole);
  const bool goes_on = take(whole, out) && !indent_.ended();
  thinking_tokens_ += before || thinking();
  return goes_on;
}

void AnswerReader::finish(AnswerPiece& out) {
  std::string rest;
  decoder_.finish(rest);
  if (!take(rest, out)) return;
  AnswerText parted;
  if (splits_)
    splitter_.finish(parted);
  else
    indent_.finish(parted.content);
  if (!show(parted, out)) return;
  stops_.finish(out.content);
  release(content_ + 1, out);
}

// Both are false when a stop string has ended the content.
bool AnswerReader::take(std::string_view text, AnswerPiece& out) {
  AnswerText parted;
  if (splits_)
    splitter_.feed(text, parted);
  else
    indent_.feed(text, parted.content);
  return show(parted, out);
}

bool AnswerReader::show(const AnswerText& parted, AnswerPiece& out) {
  out.thinking += parted.thinking;
  if (!parted.content.empty()) {
    for (NotedToken& note : open_) {
      note.begins = content_;
      note.characters_before = characters_;
      coming_.push_back(std::move(note));
    }
    open_.clear();
  } else if (decoder_.held_bytes() == 0 && (!splits_ || splitter_.held_bytes() == 0)) {
    open_.clear();  // of thoughts, a tag, line ends around it, a control token
  }
  content_ += parted.content.size();
  characters_ += characters_of(parted.content);
  const size_t before = out.content.size();
  const bool ended = stops_.feed(parted.content, out.content);
  released_ += out.content.size() - before;
  release(released_, out);
  return !ended;
}

void AnswerReader::release(size_t until, AnswerPiece& out) {
  while (!coming_.empty() && coming_.front().begins < until) {
    out.notes.push_back(std::move(coming_.front()));
    coming_.pop_front();
  }
}

}  // namespace braid
