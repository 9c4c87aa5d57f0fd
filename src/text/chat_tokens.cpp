#include "text/chat_tokens.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/check.h"
#include "text/unicode.h"

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSpace = " \t\n\v\f\r";

// How much a string is protected. Roles and names that templates compare with are left alone as
// long as no whole control token stands in them.
enum class Guard { kWhole, kEdges };

std::string utf8(char32_t c) {
  if (c < 0x10000) {
    return {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
            static_cast<char>(0x80 | (c & 0x3F))};
  }
  return {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
          static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
}

// As tojson writes a character when a template asks for ASCII alone.
std::string json_escape(char32_t c) {
  if (c < 0x10000) return fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  const auto offset = static_cast<unsigned>(c - 0x10000);
  return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 | offset >> 10, 0xDC00 | (offset & 0x3FF));
}

// In one pass: replaced in place, each of many would move all that follows.
void replace_all(std::string& text, std::string_view from, std::string_view to) {
  size_t at = text.find(from);
  if (at == std::string::npos) return;
  std::string out;
  size_t done = 0;
  for (; at != std::string::npos; at = text.find(from, done)) {
    out.append(text, done, at - done).append(to);
    done = at + from.size();
  }
  text = out.append(text, done);
}

// The private characters of Unicode: three areas, of which these two are used.
constexpr char32_t kFirst = 0xE000, kEnd = 0xF900, kFirstFar = 0xF0000, kEndFar = 0xFFFFE;

bool is_private(char32_t c) { return (c >= kFirst && c < kEnd) || (c >= kFirstFar && c < kEndFar); }

// Which of them occur in texts, as they are or as tojson writes them.
class PrivateCharacters {
 public:
  void note(std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if (byte == 0xEE || byte == 0xEF) mark(continued(text, i, byte & 0x0F, 2));
      if (byte == 0xF3) mark(continued(text, i, byte & 0x07, 3));
      if (byte == '\\') mark(escaped(text, i));
    }
  }

  bool has(char32_t c) const { return seen_.contains(c); }

 private:
  void mark(char32_t c) {
    if (is_private(c)) seen_.insert(c);
  }

  static char32_t continued(std::string_view text, size_t at, char32_t c, size_t n) {
    for (size_t i = 1; i <= n; ++i) {
      const unsigned byte = at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
      if ((byte & 0xC0) != 0x80) return 0;
      c = c << 6 | (byte & 0x3F);
    }
    return c;
  }

  static char32_t escaped(std::string_view text, size_t at) {
    const char32_t c = four_digits(text, at);
    if (c < 0xD800 || c >= 0xDC00) return c;
    const char32_t low = four_digits(text, at + 6);
    return low < 0xDC00 || low >= 0xE000 ? 0 : 0x10000 + ((c & 0x3FF) << 10 | (low & 0x3FF));
  }

  static char32_t four_digits(std::string_view text, size_t at) {
    if (at > text.size() || !text.substr(at).starts_with("\\u")) return 0;
    const std::string_view digits = text.substr(at + 2, 4);
    unsigned c = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), c, 16);
    return error == std::errc() && digits.size() == 4 && end == digits.data() + 4 ? c : 0;
  }

  std::unordered_set<char32_t> seen_;
};

Guard guard_of(std::string_view key, Guard around) {
  return key == "role" || key == "type" ? Guard::kWhole : around;
}

// Of a name's value in the context.
Guard guard_of(const Json& value) { return value.is_string() ? Guard::kWhole : Guard::kEdges; }

// The two tokens that the vocabulary gives are meant as such.
bool is_content(std::string_view name) { return name != "bos_token" && name != "eos_token"; }

// Calls visit(string, guard) for every string and every key.
template <class Visit>
void for_each_string(const Json& value, Guard guard, const Visit& visit) {
  if (value.is_string()) {
    visit(value.get_ref<const std::string&>(), guard);
  } else if (value.is_array()) {
    for (const Json& item : value) for_each_string(item, guard, visit);
  } else if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      visit(key, Guard::kWhole);
      for_each_string(item, guard_of(key, guard), visit);
    }
  }
}

template <class Visit>
void for_each_content(const Json& context, const Visit& visit) {
  for (const auto& [name, value] : context.items()) {
    if (is_content(name)) for_each_string(value, guard_of(value), visit);
  }
}

// Where control tokens begin in a content, or may begin or end together with what stands around
// it, as it is or with the space around it trimmed.
std::vector<size_t> dangerous_places(std::string_view text, Guard guard,
                                     const std::vector<std::string>& control) {
  std::vector<size_t> places;
  const size_t first = std::min(text.size(), text.find_first_not_of(kSpace));
  const size_t end = text.find_last_not_of(kSpace) + 1;
  for (const std::string& token : control) {
    for (size_t at = text.find(token[0]); at != std::string_view::npos;
         at = text.find(token[0], at + 1)) {
      const std::string_view rest = text.substr(at);
      const bool whole = rest.starts_with(token);
      const bool begins =
          std::string_view(token).starts_with(rest) ||
          (at < end && std::string_view(token).starts_with(text.substr(at, end - at)));
      if (whole || (begins && guard == Guard::kEdges)) places.push_back(at);
    }
    if (guard == Guard::kWhole) continue;
    for (size_t i = 1; i < token.size(); ++i) {
      const std::string_view tail = std::string_view(token).substr(i);
      if (text.starts_with(tail)) places.push_back(0);
      if (text.substr(first).starts_with(tail)) places.push_back(first);
    }
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

}  // namespace

// The characters that stand for others while the template renders.
class ChatEncoder::Disguise {
 public:
  Disguise(const Json& context, const std::string& source, const std::vector<std::string>& control)
      : control_(control) {
    bool needed = false;
    for_each_content(context, [&](const std::string& text, Guard guard) {
      needed = needed || !dangerous_places(text, guard, control).empty();
    });
    if (!needed) return;
    taken_.note(source);
    for_each_content(context, [&](const std::string& text, Guard) { taken_.note(text); });
    for_each_content(context, [&](const std::string& text, Guard guard) {
      for (const size_t at : dangerous_places(text, guard, control)) add(character(text, at));
    });
  }

  bool empty() const { return masks_.empty(); }

  Json applied_to(const Json& context) const {
    Json out = Json::object();
    for (const auto& [name, value] : context.items()) {
      out[name] = is_content(name) ? applied(value, guard_of(value)) : value;
    }
    return out;
  }

  std::string taken_off(std::string text) const {
    for (const auto& [original, mask] : masks_) {
      replace_all(text, utf8(mask), original);
      replace_all(text, json_escape(mask), original);
    }
    return text;
  }

 private:
  static std::string character(std::string_view text, size_t at) {
    return std::string(text.substr(at, std::max<size_t>(1, utf8_length(text, at))));
  }

  void add(const std::string& original) {
    if (masks_.contains(original)) return;
    for (;; ++next_) {
      if (next_ == kEnd) next_ = kFirstFar;
      if (next_ == kEndFar) fail("the conversation uses every private character of Unicode");
      if (!taken_.has(next_)) break;
    }
    masks_[original] = next_++;
  }

  std::string applied(const std::string& text, Guard guard) const {
    std::string out;
    size_t done = 0;
    for (const size_t at : dangerous_places(text, guard, control_)) {
      const std::string original = character(text, at);
      out.append(text, done, at - done);
      out += utf8(masks_.at(original));
      done = at + original.size();
    }
    return out.append(text, done);
  }

  Json applied(const Json& value, Guard guard) const {
    if (value.is_string()) return applied(value.get_ref<const std::string&>(), guard);
    if (value.is_array()) {
      Json out = Json::array();
      for (const Json& item : value) out.push_back(applied(item, guard));
      return out;
    }
    if (!value.is_object()) return value;
    Json out = Json::object();
    for (const auto& [key, item] : value.items()) {
      out[applied(key, Guard::kWhole)] = applied(item, guard_of(key, guard));
    }
    return out;
  }

  const std::vector<std::string>& control_;
  PrivateCharacters taken_;                // of all texts in which a mask must not occur
  std::map<std::string, char32_t> masks_;  // character -> what stands for it
  char32_t next_ = kFirst;
};

ChatEncoder::ChatEncoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
  for (int32_t id = 0; id < tokenizer.n_tokens(); ++id)
    if (tokenizer.is_control(id) && !tokenizer.bytes(id).empty())
      control_.emplace_back(tokenizer.bytes(id));
}

void ChatEncoder::check_length(size_t bytes, size_t most_ids) const {
  const size_t least = tokenizer_.least_ids(bytes);
  if (least > most_ids) throw PromptTooLong(bytes, least);
}

ChatPrompt ChatEncoder::encode(const ChatTemplate& chat_template, const ChatInput& input,
                               size_t most_ids) const {
  const Json context = make_chat_context(input);
  const Disguise disguise(context, chat_template.source(), control_);
  ChatPrompt prompt;
  if (disguise.empty()) {
    prompt.text = chat_template.render(context);
    check_length(prompt.text.size(), most_ids);
    prompt.ids = tokenizer_.encode(prompt.text, {.parse_special = true});
    return prompt;
  }
  const auto add_plain = [&](std::string_view text) {
    const std::string piece = disguise.taken_off(std::string(text));
    check_length(prompt.text.size() + piece.size(), most_ids);
    const std::vector<int32_t> ids = tokenizer_.encode(piece);
    prompt.text += piece;
    prompt.ids.insert(prompt.ids.end(), ids.begin(), ids.end());
  };
  const auto part = [&](Tokenizer::SpecialKind kind, std::string_view text, const auto& between) {
    size_t done = 0;
    while (const auto match = tokenizer_.next_special(kind, text, done, true)) {
      between(text.substr(done, match->pos - done));
      prompt.text += text.substr(match->pos, match->length);
      prompt.ids.push_back(match->id);
      done = match->pos + match->length;
    }
    between(text.substr(done));
  };
  using enum Tokenizer::SpecialKind;
  const std::string text = chat_template.render(disguise.applied_to(context));
  part(kAsWritten, text,
       [&](std::string_view piece) { part(kAfterNormalizing, piece, add_plain); });
  return prompt;
}

}  // namespace braid
