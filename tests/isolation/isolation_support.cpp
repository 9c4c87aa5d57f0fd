#include "tests/isolation/isolation_support.h"

#include "format/open.h"
#include "tests/quantised_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

namespace braid::isolation {
namespace {

constexpr int64_t kContext = 768;
const float kNan = std::numeric_limits<float>::quiet_NaN();

EngineOptions with_cache(EngineOptions options, DType cache) {
  options.key_type = options.value_type = cache;
  return options;
}

std::unique_ptr<Device> open_changed(const Setup& setup, const std::string& isa,
                                     void (*change)(Ops&)) {
  std::unique_ptr<Device> device = open_device("cpu", {setup.threads, isa});
  if (change) change(const_cast<Ops&>(device->ops()));
  return device;
}

EngineOptions alone() {
  EngineOptions options;
  options.context = kContext;
  options.ubatch = 1;
  return options;
}

void fill_nan(Device& device, float* at, size_t n) {
  const std::vector<float> nans(n, kNan);
  device.upload(at, nans.data(), n * sizeof(float));
}

// All bits set are a NaN in F32, F16 and BF16.
void fill_ones(Device& device, std::byte* at, size_t n) {
  const std::vector<std::byte> ones(n, std::byte{0xff});
  device.upload(at, ones.data(), n);
}

void poison_slot(StatePool& pool, int32_t slot) {
  for (const RecurrentPool& layer : pool.recurrent())
    if (layer.base)
      fill_nan(pool.device(), layer.slot(slot).state_base, layer.layout.slot_floats());
}

void poison_page(StatePool& pool, int32_t page) {
  for (const KvPool& layer : pool.kv()) {
    if (!layer.keys) continue;
    fill_ones(pool.device(), layer.keys_of(page, 0), layer.page_bytes(layer.key_type));
    fill_ones(pool.device(), layer.values_of(page, 0), layer.page_bytes(layer.value_type));
  }
}

}  // namespace

std::vector<Setup> setups() {
  if (kSmall)
    return {
        {"qwen3next", DType::F16, 2}, {"qwen35_r3", DType::F32, 3}, {"quantised", DType::F16, 1}};
  return {
      {"qwen3next", DType::F16, 1}, {"qwen3next", DType::F16, 2},  {"qwen3next", DType::F16, 3},
      {"qwen35_r3", DType::F32, 1}, {"qwen35_r3", DType::F16, 2},  {"qwen35moe", DType::F16, 1},
      {"qwen35moe", DType::F32, 3}, {"quantised", DType::BF16, 1}, {"qwen3next", DType::Q8_0, 2}};
}

std::vector<Setup> setups_with_mtp() {
  std::vector<Setup> all = setups();
  std::erase_if(all, [](const Setup& s) { return std::string_view(s.model) == "qwen35_r3"; });
  return all;
}

void PrintTo(const Setup& s, std::ostream* out) {
  *out << fmt::format("{}_{}_{}threads", s.model, info(s.cache).name, s.threads);
}

std::string name_of(const testing::TestParamInfo<Setup>& param) {
  return testing::PrintToString(param.param);
}

const TensorFile& model_file(const std::string& name) {
  static std::map<std::string, std::unique_ptr<TensorFile>> files;
  std::unique_ptr<TensorFile>& file = files[name];
  const std::string folder = BRAID_TEST_DATA "/../golden/data/";
  if (file) return *file;
  if (name == "qwen3next") file = open_model_file(folder + "qwen3next/split.gguf");
  if (name == "qwen35_r3") file = open_model_file(folder + "qwen35-r3/fused_attention.gguf");
  if (name == "qwen35moe") file = open_model_file(folder + "qwen35moe/merged.gguf");
  if (name == "quantised")
    file = std::make_unique<test::QuantisedFile>(
        open_model_file(folder + "qwen35-tied/tied.gguf"), [](const FileTensor& t) {
          return t.name.find("ffn_") != std::string::npos ? DType::Q4_0 : DType::Q8_0;
        });
  CHECK_THAT(file, "{}", name);
  return *file;
}

std::string best_isa() { return cpu::usable_isas().front(); }

std::vector<std::string> isas(const Setup& setup) {
  return kSmall || setup.threads > 1 ? std::vector{best_isa()} : cpu::usable_isas();
}

bool in_full(const Setup& setup, const std::string& isa) {
  return !kSmall && isa == best_isa() && setup.threads == 1;
}

Tokens timeline(int which, int64_t n) {
  std::mt19937 random(static_cast<uint32_t>(1000 + which));
  Tokens tokens(static_cast<size_t>(n));
  for (int32_t& token : tokens) token = static_cast<int32_t>(random() % 256);
  return tokens;
}

Tokens joined(std::span<const int32_t> a, std::span<const int32_t> b) {
  Tokens all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

Bench::Bench(const Setup& setup, const std::string& isa, EngineOptions options,
             void (*change)(Ops&))
    : device(open_changed(setup, isa, change)),
      engine(model_file(setup.model), *device, with_cache(options, setup.cache)) {}

void Rows::add(std::span<const float> row) {
  CHECK(row.size() == width_);
  // Equal bits of a NaN would say nothing.
  for (const float x : row) CHECK(std::isfinite(x));
  values_.insert(values_.end(), row.begin(), row.end());
}

std::span<const float> Rows::operator[](int64_t position) const {
  CHECK_THAT(position >= 0 && position < count(), "{} of {}", position, count());
  return std::span(values_).subspan(static_cast<size_t>(position) * width_, width_);
}

Solo::Solo(const Setup& setup, const std::string& isa)
    : bench_({setup.model, setup.cache, 1}, isa, alone()),
      sequence_(bench_.engine.new_sequence()) {}

const Rows& Solo::logits(const Tokens& tokens) {
  const auto starts_with = [](const Tokens& all, const Tokens& start) {
    return all.size() >= start.size() && std::equal(start.begin(), start.end(), all.begin());
  };
  for (const Run& run : runs_)
    if (starts_with(run.tokens, tokens)) return run.rows;
  if (runs_.empty() || !starts_with(tokens, runs_.back().tokens)) {
    sequence_.reset();
    runs_.push_back({{}, Rows(static_cast<size_t>(bench_.engine.spec().vocabulary))});
  }
  Run& run = runs_.back();
  while (run.tokens.size() < tokens.size()) {
    run.tokens.push_back(tokens[run.tokens.size()]);
    const Feed feed{&sequence_, std::span(run.tokens).last(1), 1};
    bench_.engine.step({&feed, 1});
    run.rows.add(bench_.engine.logits(0));
  }
  return run.rows;
}

std::vector<Snapshot> Solo::states(const Tokens& tokens) {
  runs_.clear();
  std::vector<Snapshot> states;
  for (size_t n = 0; n <= tokens.size(); ++n) {
    if (n == 0)
      sequence_.reset();
    else
      logits({tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(n)});
    states.push_back(take(sequence_));
  }
  return states;
}

testing::AssertionResult same_bits(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size())
    return testing::AssertionFailure() << a.size() << " and " << b.size() << " numbers";
  if (std::memcmp(a.data(), b.data(), a.size_bytes()) == 0) return testing::AssertionSuccess();
  size_t i = 0;
  while (std::memcmp(&a[i], &b[i], sizeof(float)) == 0) ++i;
  return testing::AssertionFailure()
         << fmt::format("number {} is {:.9g} and {:.9g}", i, a[i], b[i]);
}

testing::AssertionResult goes_on(Engine& engine, Sequence& sequence,
                                 std::span<const int32_t> tokens, const Rows& expected) {
  const int64_t from = sequence.length(), n = static_cast<int64_t>(tokens.size());
  const Feed feed{&sequence, tokens, n};
  engine.step({&feed, 1});
  for (int64_t r = 0; r < n; ++r)
    if (const auto same = same_bits(engine.logits(r), expected[from + r]); !same)
      return testing::AssertionFailure()
             << fmt::format("position {} in a piece [{}, {}): ", from + r, from, from + n)
             << same.message();
  return testing::AssertionSuccess();
}

void poison_rest(const Engine& engine, Sequence& sequence) {
  StatePool& pool = sequence.pool();
  Device& device = pool.device();
  const int64_t length = sequence.length(), block = length / kBlock, start = block * kBlock;
  for (const RecurrentPool& layer : pool.recurrent()) {
    if (!layer.base) continue;
    const RecurrentLayout& s = layer.layout;
    const RecurrentSlot slot = layer.slot(sequence.slot());
    for (int h = 0; h < s.value_heads; ++h)
      fill_nan(device, slot.state(h, block + 1), size_t{1} * s.key_dim * s.value_dim);
    for (int64_t p = length; p < start + kRing; ++p) {  // all of the ring but this block's entries
      for (int h = 0; h < s.key_heads; ++h)
        fill_nan(device, slot.key(h, p), static_cast<size_t>(s.key_dim));
      for (int h = 0; h < s.value_heads; ++h) {
        fill_nan(device, slot.update(h, p), static_cast<size_t>(s.value_dim));
        fill_nan(device, slot.decay(h, p), 1);
      }
    }
    for (int64_t p = length; p < length + kRing - kConvHistory; ++p)
      fill_nan(device, slot.conv(p), static_cast<size_t>(s.conv_dim));
  }
  if (length % kPageTokens == 0) return;
  const int32_t page = sequence.pages()[static_cast<size_t>(length / kPageTokens)];
  CHECK(pool.references(page) == 1);
  for (const KvPool& layer : pool.kv().first(static_cast<size_t>(engine.spec().layers))) {
    if (!layer.keys) continue;
    const int64_t first = length % kPageTokens, rows = kPageTokens - first;
    for (const KvSide side : {KvSide::kKeys, KvSide::kValues}) {
      const std::vector<std::byte> ones(static_cast<size_t>(rows) * layer.row(side),
                                        std::byte{0xff});
      for (int h = 0; h < layer.kv_heads; ++h)
        device.put_kv_rows(layer, {side, page, h, first, rows}, ones.data());
    }
  }
}

void poison_free(StatePool& pool) {
  poison_slot(pool, 0);
  poison_page(pool, 0);
  std::vector<int32_t> slots, pages;
  while (pool.free_slots() > 0) slots.push_back(pool.take_slot());
  while (pool.free_pages() > 0) pages.push_back(pool.take_page());
  // Backwards, so that they are handed out in the same order as before.
  for (; !slots.empty(); slots.pop_back()) {
    poison_slot(pool, slots.back());
    pool.release_slot(slots.back());
  }
  for (; !pages.empty(); pages.pop_back()) {
    poison_page(pool, pages.back());
    pool.release_page(pages.back());
  }
}

}  // namespace braid::isolation
