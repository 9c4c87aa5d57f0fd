#include "state/snapshot.h"

#include "base/check.h"
#include "base/checksum.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

namespace braid {

namespace {

static_assert(std::endian::native == std::endian::little, "snapshots are little-endian");

constexpr std::array<char, 8> kMagic = {'B', 'R', 'A', 'I', 'D', 'S', 'E', 'Q'};
constexpr uint32_t kVersion = 1;
enum LayerKind : uint32_t { kNothing, kKv, kRecurrent };

int64_t block_start(int64_t length) { return length / kBlock * kBlock; }
int64_t first_conv(int64_t floor) { return std::max(int64_t{0}, floor - kConvHistory); }

// The order of a snapshot's data is the order of these three visits; reading and writing share
// them. f(address, count) for the first two.

template <class F>
void visit_blocks(const StatePool& pool, int32_t index, int64_t length, F&& f) {
  const int64_t start = block_start(length);
  const size_t n =
      static_cast<size_t>(length - start);  // a block's entries lie side by side in the ring
  for (const RecurrentPool& layer : pool.recurrent()) {
    if (!layer.base) continue;
    const RecurrentLayout& shape = layer.layout;
    const RecurrentSlot slot = layer.slot(index);
    for (int h = 0; h < shape.value_heads; ++h)
      f(slot.state(h, start / kBlock), size_t{1} * shape.key_dim * shape.value_dim);
    for (int h = 0; h < shape.key_heads; ++h) f(slot.key(h, start), n * shape.key_dim);
    for (int h = 0; h < shape.value_heads; ++h) f(slot.update(h, start), n * shape.value_dim);
    for (int h = 0; h < shape.value_heads; ++h) f(slot.decay(h, start), n);
  }
}

template <class F>
void visit_conv(const StatePool& pool, int32_t index, int64_t first, int64_t length, F&& f) {
  for (int64_t position = first; position < length; ++position)
    for (const RecurrentPool& layer : pool.recurrent())
      if (layer.base) f(layer.slot(index).conv(position), size_t{1} * layer.layout.conv_dim);
}

// f(pool of a layer, rows, their first byte in the snapshot)
template <class F>
void visit_kv(const StatePool& pool, std::span<const int32_t> pages, int64_t length, F&& f) {
  size_t byte = 0;
  for (const KvPool& layer : pool.kv()) {
    if (!layer.keys) continue;
    for (const KvSide side : {KvSide::kKeys, KvSide::kValues})
      for (int head = 0; head < layer.kv_heads; ++head)
        for (int64_t at = 0; at < length; at += kPageTokens) {
          const int64_t rows = std::min<int64_t>(kPageTokens, length - at);
          f(layer, KvSpan{side, pages[static_cast<size_t>(at / kPageTokens)], head, 0, rows}, byte);
          byte += static_cast<size_t>(rows) * layer.row(side);
        }
  }
}

// Sizes of the parts, in the units of their vectors.
size_t block_floats(const StateSpec& spec, int64_t length) {
  const size_t n = static_cast<size_t>(length - block_start(length));
  size_t floats = 0;
  for (const LayerState& layer : spec.layers)
    if (const auto* r = std::get_if<RecurrentLayout>(&layer))
      floats += size_t{1} * r->value_heads * r->key_dim * r->value_dim +
                n * (size_t{1} * r->key_heads * r->key_dim +
                     size_t{1} * r->value_heads * r->value_dim + r->value_heads);
  return floats;
}

size_t conv_floats(const StateSpec& spec) {  // of one position
  size_t floats = 0;
  for (const LayerState& layer : spec.layers)
    if (const auto* r = std::get_if<RecurrentLayout>(&layer)) floats += r->conv_dim;
  return floats;
}

size_t kv_bytes(const Snapshot& s) {  // of one position
  return StatePool::page_bytes(s.spec, s.key_type, s.value_type) / kPageTokens;
}

void check_whole(const Snapshot& s) {
  const size_t rows = static_cast<size_t>(s.length() - first_conv(s.recurrent.floor));
  CHECK(s.recurrent.floor >= 0 && s.recurrent.floor <= s.length());
  CHECK(s.recurrent.blocks.size() == block_floats(s.spec, s.length()));
  CHECK(s.recurrent.conv.size() == rows * conv_floats(s.spec));
  CHECK(s.kv.rows.size() == s.tokens.size() * kv_bytes(s));
}

void check_fits(const StatePool& pool, const Snapshot& s) {
  const StateSpec& spec = pool.spec();
  if (s.spec.layers.size() != spec.layers.size())
    fail("the snapshot has {} layers, the model {}: it belongs to another model",
         s.spec.layers.size(), spec.layers.size());
  for (size_t i = 0; i < spec.layers.size(); ++i)
    if (!same_shape(s.spec.layers[i], spec.layers[i]))
      fail("layer {}: the snapshot has {}, the model {}: it belongs to another model", i,
           describe(s.spec.layers[i]), describe(spec.layers[i]));
  if (!spec.has_kv()) return;
  const StateOptions& options = pool.options();
  if (s.key_type != options.key_type || s.value_type != options.value_type)
    fail(
        "the snapshot has cache types {} and {}, this run {} and {}: set -ctk and -ctv as they "
        "were",
        info(s.key_type).name, info(s.value_type).name, info(options.key_type).name,
        info(options.value_type).name);
}

// Fills a snapshot's bytes, whose number is known beforehand.
class Writer {
 public:
  explicit Writer(size_t size) : bytes_(size) {}

  size_t written() const { return at_; }
  std::span<const std::byte> so_far() const { return std::span(bytes_).first(at_); }
  std::vector<std::byte> finish() {
    CHECK(at_ == bytes_.size());
    return std::move(bytes_);
  }

  template <class T>
  void put(const T& value) {
    put_bytes(std::as_bytes(std::span(&value, 1)));
  }
  template <class T>
  void put_all(const std::vector<T>& values) {
    put_bytes(std::as_bytes(std::span(values)));
  }

 private:
  void put_bytes(std::span<const std::byte> from) {
    CHECK(from.size() <= bytes_.size() - at_);
    if (!from.empty()) std::memcpy(bytes_.data() + at_, from.data(), from.size());
    at_ += from.size();
  }

  std::vector<std::byte> bytes_;
  size_t at_ = 0;
};

void put_layer(Writer& out, const LayerState& layer) {
  std::array<int32_t, 5> numbers{};
  uint32_t kind = kNothing;
  if (const auto* kv = std::get_if<KvSpec>(&layer)) {
    kind = kKv;
    numbers = {kv->kv_heads, kv->head_dim};
  } else if (const auto* r = std::get_if<RecurrentLayout>(&layer)) {
    kind = kRecurrent;
    numbers = {r->key_heads, r->value_heads, r->key_dim, r->value_dim, r->conv_dim};
  }
  out.put(kind);
  out.put(numbers);
}

// Reads a snapshot's bytes; never beyond their end.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, std::string_view origin)
      : bytes_(bytes), origin_(origin) {}

  std::string_view origin() const { return origin_; }
  size_t left() const { return bytes_.size() - at_; }

  template <class T>
  T get(const char* what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what), sizeof(T));
    return value;
  }
  template <class T>
  void get_all(std::vector<T>& out, size_t count, const char* what) {
    if (count > left() / sizeof(T)) cut_short(what);
    out.resize(count);
    const std::byte* from = take(count * sizeof(T), what);
    if (count) std::memcpy(out.data(), from, count * sizeof(T));
  }
  [[noreturn]] void cut_short(const char* what) const {
    fail("{}: the snapshot ends inside {} (byte {} of {}); delete it", origin_, what, at_,
         bytes_.size());
  }

 private:
  const std::byte* take(size_t n, const char* what) {
    if (n > left()) cut_short(what);
    return bytes_.data() + std::exchange(at_, at_ + n);
  }

  std::span<const std::byte> bytes_;
  std::string_view origin_;
  size_t at_ = 0;
};

void read_preamble(Reader& in, size_t size, std::span<const std::byte> bytes) {
  if (in.get<std::array<char, 8>>("the header") != kMagic)
    fail("{}: not a snapshot of a sequence (it does not start with {})", in.origin(),
         std::string_view(kMagic.data(), kMagic.size()));
  const auto version = in.get<uint32_t>("the header");
  if (version != kVersion)
    fail("{}: snapshot of version {}, this program reads {}; delete it", in.origin(), version,
         kVersion);
  const auto block = in.get<uint16_t>("the header"), history = in.get<uint16_t>("the header");
  if (block != kBlock || history != kConvHistory)
    fail(
        "{}: snapshot of blocks of {} and {} convolution rows, this program has {} and {}; delete "
        "it",
        in.origin(), block, history, kBlock, kConvHistory);
  const auto total = in.get<uint64_t>("the header");
  if (total != size)
    fail("{}: the snapshot should have {} bytes, it has {}; delete it", in.origin(), total, size);
  const size_t body = size - std::min(size, sizeof(uint64_t));
  uint64_t stored = 0;
  std::memcpy(&stored, bytes.data() + body, size - body);
  const uint64_t actual = checksum64(bytes.first(body));
  if (stored != actual)
    fail("{}: the snapshot is damaged (checksum {:016x}, expected {:016x}); delete it", in.origin(),
         actual, stored);
}

LayerState read_layer(Reader& in) {
  const auto kind = in.get<uint32_t>("the layers");
  const auto n = in.get<std::array<int32_t, 5>>("the layers");
  if (kind == kRecurrent) return RecurrentLayout{n[0], n[1], n[2], n[3], n[4]};
  const size_t used = kind == kKv ? 2 : 0;
  if (kind > kRecurrent || std::any_of(n.begin() + used, n.end(), [](int32_t i) { return i != 0; }))
    fail("{}: layer state of kind {} with numbers {}, {}, {}, {}, {}; delete it", in.origin(), kind,
         n[0], n[1], n[2], n[3], n[4]);
  if (kind == kKv) return KvSpec{n[0], n[1]};
  return std::monostate{};
}

DType read_type(Reader& in) {
  const auto id = in.get<uint32_t>("the header");
  const auto type = dtype_from_gguf(id);
  if (!type) fail("{}: cache type {}; delete it", in.origin(), describe_refused_gguf_type(id));
  return *type;
}

// How far back a snapshot at `length` goes.
int64_t snapshot_floor(const Sequence& sequence, int64_t length) {
  CHECK_THAT(length >= sequence.floor() && length <= sequence.length(),
             "a snapshot at {} of a sequence from {} to {}", length, sequence.floor(),
             sequence.length());
  const int64_t floor = std::max(block_start(length), sequence.floor());
  // All rows from position 0 on are held, and before it are the zeros of a fresh slot.
  return !sequence.pool().spec().has_recurrent() || floor <= kConvHistory ? 0 : floor;
}

// For the visits: copies what they show to `to`, or there from `from`.
template <class T>
auto download(const StatePool& pool, T* to) {
  return [&pool, to](const auto* from, size_t count) mutable {
    pool.device().download(to, from, count * sizeof *from);
    to += count;
  };
}

template <class T>
auto upload(const StatePool& pool, const T* from) {
  return [&pool, from](auto* to, size_t count) mutable {
    pool.device().upload(to, from, count * sizeof *from);
    from += count;
  };
}

void put_recurrent(StatePool& pool, int32_t slot, const RecurrentSnapshot& s, int64_t length) {
  visit_blocks(pool, slot, length, upload(pool, s.blocks.data()));
  visit_conv(pool, slot, first_conv(s.floor), length, upload(pool, s.conv.data()));
}

}  // namespace

RecurrentSnapshot take_recurrent(const Sequence& sequence, int64_t length) {
  const StatePool& pool = sequence.pool();
  RecurrentSnapshot s;
  s.floor = snapshot_floor(sequence, length);
  const int64_t first = first_conv(s.floor);
  s.blocks.resize(block_floats(pool.spec(), length));
  s.conv.resize(static_cast<size_t>(length - first) * conv_floats(pool.spec()));
  visit_blocks(pool, sequence.slot(), length, download(pool, s.blocks.data()));
  visit_conv(pool, sequence.slot(), first, length, download(pool, s.conv.data()));
  return s;
}

size_t recurrent_bytes(const Sequence& sequence, int64_t length) {
  const StateSpec& spec = sequence.pool().spec();
  const auto rows = static_cast<size_t>(length - first_conv(snapshot_floor(sequence, length)));
  return (block_floats(spec, length) + rows * conv_floats(spec)) * sizeof(float);
}

Snapshot take(const Sequence& sequence) {
  const StatePool& pool = sequence.pool();
  const int64_t length = sequence.length();
  CHECK_THAT(length >= sequence.floor(), "abandoned at {} tokens", length);
  Snapshot s;
  s.spec = pool.spec();
  s.key_type = pool.options().key_type;
  s.value_type = pool.options().value_type;
  s.tokens.assign(sequence.tokens().begin(), sequence.tokens().end());
  s.recurrent = take_recurrent(sequence, length);
  s.kv.rows.resize(static_cast<size_t>(length) * kv_bytes(s));
  visit_kv(pool, sequence.pages(), length,
           [&](const KvPool& layer, const KvSpan& span, size_t byte) {
             pool.device().get_kv_rows(layer, span, &s.kv.rows[byte]);
           });
  return s;
}

Sequence restore(StatePool& pool, const Snapshot& s) {
  check_fits(pool, s);
  check_whole(s);
  const int64_t length = s.length();
  Sequence sequence(pool);
  sequence.reserve(length);
  put_recurrent(pool, sequence.slot(), s.recurrent, length);
  visit_kv(pool, sequence.pages(), length,
           [&](const KvPool& layer, const KvSpan& span, size_t byte) {
             pool.device().put_kv_rows(layer, span, &s.kv.rows[byte]);
           });
  sequence.tokens_ = s.tokens;
  sequence.furthest_ = length;
  sequence.base_floor_ = s.recurrent.floor;
  return sequence;
}

size_t kv_row_bytes(const StatePool& pool) {
  return StatePool::page_bytes(pool.spec(), pool.options().key_type, pool.options().value_type) /
         kPageTokens;
}

size_t recurrent_block_floats(const StateSpec& spec, int64_t length) {
  return block_floats(spec, length);
}

size_t recurrent_conv_floats(const StateSpec& spec, int64_t length, int64_t floor) {
  return static_cast<size_t>(length - first_conv(floor)) * conv_floats(spec);
}

KvPart take_kv(const StatePool& pool, std::span<const int32_t> pages, int64_t first, int64_t rows) {
  CHECK(first % kPageTokens == 0 &&
        static_cast<int64_t>(pages.size()) == StatePool::pages_for(rows));
  KvPart part{first, rows, {}};
  part.bytes.resize(static_cast<size_t>(rows) * kv_row_bytes(pool));
  visit_kv(pool, pages, rows, [&](const KvPool& layer, const KvSpan& span, size_t byte) {
    pool.device().get_kv_rows(layer, span, &part.bytes[byte]);
  });
  return part;
}

Sequence restore(StatePool& pool, std::span<const int32_t> tokens,
                 const RecurrentSnapshot& recurrent, std::span<const KvPart> parts) {
  const auto length = static_cast<int64_t>(tokens.size());
  CHECK(recurrent.floor >= 0 && recurrent.floor <= length);
  CHECK(recurrent.blocks.size() == block_floats(pool.spec(), length));
  CHECK(recurrent.conv.size() == recurrent_conv_floats(pool.spec(), length, recurrent.floor));
  Sequence sequence(pool);
  sequence.reserve(length);
  put_recurrent(pool, sequence.slot(), recurrent, length);
  int64_t covered = 0;
  for (const KvPart& part : parts) {
    CHECK(part.first == covered && part.first % kPageTokens == 0);
    CHECK(part.bytes.size() == static_cast<size_t>(part.rows) * kv_row_bytes(pool));
    covered += part.rows;
    CHECK(covered <= length);
    visit_kv(pool, sequence.pages().subspan(static_cast<size_t>(part.first / kPageTokens)),
             part.rows, [&](const KvPool& layer, const KvSpan& span, size_t byte) {
               pool.device().put_kv_rows(layer, span, &part.bytes[byte]);
             });
  }
  CHECK(covered == length);
  sequence.tokens_.assign(tokens.begin(), tokens.end());
  sequence.furthest_ = length;
  sequence.base_floor_ = recurrent.floor;
  return sequence;
}

Sequence resume(StatePool& pool, std::span<const int32_t> tokens, std::span<const int32_t> pages,
                const RecurrentSnapshot& recurrent, int64_t taken_at) {
  const auto length = static_cast<int64_t>(tokens.size());
  CHECK_THAT(recurrent.floor <= length && length <= taken_at, "{} tokens of {} to {}", length,
             recurrent.floor, taken_at);
  CHECK(static_cast<int64_t>(pages.size()) == StatePool::pages_for(length));
  CHECK(recurrent.blocks.size() == block_floats(pool.spec(), taken_at));
  Sequence sequence(pool);
  put_recurrent(pool, sequence.slot(), recurrent, taken_at);
  sequence.pages_.reserve(pages.size());
  for (size_t i = 0; i < static_cast<size_t>(length / kPageTokens); ++i) {
    pool.add_ref(pages[i]);
    sequence.pages_.push_back(pages[i]);
  }
  if (length % kPageTokens != 0) sequence.pages_.push_back(pool.clone_page(pages.back()));
  sequence.tokens_.assign(tokens.begin(), tokens.end());
  sequence.reserved_ = length;
  sequence.furthest_ = taken_at;
  sequence.base_floor_ = recurrent.floor;
  return sequence;
}

std::vector<std::byte> to_bytes(const Snapshot& s) {
  check_whole(s);
  constexpr size_t kHeader = 64, kLayer = 24, kChecksum = sizeof(uint64_t);
  const size_t total = kHeader + kLayer * s.spec.layers.size() + s.bytes() + kChecksum;
  Writer out(total);
  out.put(kMagic);
  out.put(kVersion);
  out.put(static_cast<uint16_t>(kBlock));
  out.put(static_cast<uint16_t>(kConvHistory));
  out.put(uint64_t{total});
  out.put(static_cast<uint32_t>(info(s.key_type).gguf_id));
  out.put(static_cast<uint32_t>(info(s.value_type).gguf_id));
  out.put(uint64_t{s.tokens.size()});
  out.put(static_cast<uint64_t>(s.recurrent.floor));
  out.put(uint64_t{s.spec.layers.size()});
  out.put(uint64_t{0});  // reserved
  CHECK(out.written() == kHeader);
  for (const LayerState& layer : s.spec.layers) put_layer(out, layer);
  out.put_all(s.tokens);
  out.put_all(s.recurrent.blocks);
  out.put_all(s.recurrent.conv);
  out.put_all(s.kv.rows);
  out.put(checksum64(out.so_far()));
  return out.finish();
}

Snapshot snapshot_from_bytes(std::span<const std::byte> bytes, std::string_view origin) {
  Reader in(bytes, origin);
  read_preamble(in, bytes.size(), bytes);

  Snapshot s;
  s.key_type = read_type(in);
  s.value_type = read_type(in);
  const auto length = in.get<uint64_t>("the header"), floor = in.get<uint64_t>("the header");
  const auto layers = in.get<uint64_t>("the header");
  if (in.get<uint64_t>("the header") != 0) fail("{}: reserved number is not 0; delete it", origin);
  if (layers > in.left()) in.cut_short("the layers");
  for (uint64_t i = 0; i < layers; ++i) s.spec.layers.push_back(read_layer(in));
  size_t slot = 0, row = 0;
  try {  // bounds every product below
    slot = StatePool::slot_bytes(s.spec);
    row = kv_bytes(s);
  } catch (const Error& error) {
    fail("{}: {}; delete it", origin, error.what());
  }
  in.get_all(s.tokens, length, "the tokens");
  const bool recurrent = slot > 0;
  if (floor > length || floor < (recurrent ? static_cast<uint64_t>(block_start(s.length())) : 0) ||
      (!recurrent && floor != 0))
    fail("{}: {} tokens that can be cut to {}: not possible; delete it", origin, length, floor);
  for (int32_t token : s.tokens)
    if (token < 0) fail("{}: token {}; delete it", origin, token);

  s.recurrent.floor = static_cast<int64_t>(floor);
  const size_t conv_rows = length - static_cast<size_t>(first_conv(s.recurrent.floor));
  in.get_all(s.recurrent.blocks, block_floats(s.spec, s.length()), "the recurrent state");
  in.get_all(s.recurrent.conv, conv_rows * conv_floats(s.spec), "the recurrent state");
  if (length > 0 && row > in.left() / length) in.cut_short("the keys and values");
  in.get_all(s.kv.rows, length * row, "the keys and values");
  if (in.left() != sizeof(uint64_t))
    fail("{}: {} bytes too many after the snapshot; delete it", origin,
         in.left() - sizeof(uint64_t));
  return s;
}

std::vector<std::byte> state_bytes(const Snapshot& snapshot) {
  check_whole(snapshot);
  Snapshot s = snapshot;
  if (s.spec.has_recurrent()) s.recurrent.floor = s.length();
  const int64_t dropped = first_conv(s.recurrent.floor) - first_conv(snapshot.recurrent.floor);
  s.recurrent.conv.erase(
      s.recurrent.conv.begin(),
      s.recurrent.conv.begin() + dropped * static_cast<int64_t>(conv_floats(s.spec)));
  return to_bytes(s);
}

}  // namespace braid
