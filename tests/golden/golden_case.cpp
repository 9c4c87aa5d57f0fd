#include "tests/golden/golden_case.h"

#include "base/check.h"
#include "base/mmap_file.h"
#include "engine/engine.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace braid {
namespace {

using nlohmann::json;

GoldenLogits read_logits(const std::filesystem::path& folder, const json& j) {
  GoldenLogits logits{j.at("rows"), j.at("columns"), {}};
  const std::string path = folder / j.at("file").get<std::string>();
  const MmapFile file(path);
  logits.values.resize(static_cast<size_t>(logits.rows * logits.columns));
  if (file.bytes().size() != logits.values.size() * sizeof(float))
    fail("{}: {} bytes, expected {} x {} f32", path, file.bytes().size(), logits.rows,
         logits.columns);
  std::memcpy(logits.values.data(), file.bytes().data(), file.bytes().size());
  return logits;
}

GoldenCase read_case(const std::filesystem::path& folder, const json& j) {
  GoldenCase c;
  c.name = j.at("name");
  c.architecture = j.at("arch");
  c.largest = j.at("largest");
  c.tied = j.at("tied");
  c.moe = j.at("moe");
  for (const char* kind : {"folders", "ggufs"})
    for (const json& f : j.at(kind))
      c.files.push_back({folder / f.at("path").get<std::string>(), f.at("mtp")});
  for (const json& p : j.at("prompts"))
    c.prompts.push_back({p.at("ids"), read_logits(folder, p.at("logits"))});
  c.greedy_prompt = j.at("greedy").at("prompt");
  c.greedy = j.at("greedy").at("ids").get<std::vector<int32_t>>();
  if (j.contains("draft") && !j.at("draft").is_null()) {
    const json& d = j.at("draft");
    c.draft = {d.at("following"), read_logits(folder, d.at("logits")), d.at("chained_ids"),
               read_logits(folder, d.at("chained_logits"))};
  }
  const json& s = j.at("shape");
  c.head_dim = s.at("head_dim");
  c.q_heads = s.at("q_heads");
  c.kv_heads = s.at("kv_heads");
  c.key_heads = s.at("k_heads");
  c.value_heads = s.at("v_heads");
  c.gdn_dim = s.at("gdn_dim");
  return c;
}

double difference(std::span<const float> ours, const GoldenLogits& golden, int64_t row) {
  double worst = 0;
  const float* g = golden.values.data() + row * golden.columns;
  for (int64_t i = 0; i < golden.columns; ++i) {
    const double d = std::abs(double{ours[static_cast<size_t>(i)]} - g[i]);
    worst = std::isfinite(d) ? std::max(worst, d) : HUGE_VAL;
  }
  return worst;
}

double difference(const Engine& engine, const GoldenLogits& golden) {
  double worst = 0;
  for (int64_t r = 0; r < golden.rows; ++r)
    worst = std::max(worst, difference(engine.logits(r), golden, r));
  return worst;
}

// The draft logits of every position of the prompt in one pass, then chained ones.
void run_draft(const GoldenCase& golden, Engine& engine, GoldenResult& result) {
  const GoldenCase::Draft& d = *golden.draft;
  const std::vector<int32_t>& prompt = golden.prompts[golden.greedy_prompt].ids;
  const auto n = static_cast<int64_t>(prompt.size());
  Sequence sequence = engine.new_sequence();
  const Feed feed{&sequence, prompt, n};
  engine.step({&feed, 1});
  std::vector<float> hidden(engine.hidden(0).data(),
                            engine.hidden(n - 1).data() + engine.spec().d_model);
  std::vector<int32_t> next(prompt.begin() + 1, prompt.end());
  next.push_back(d.following);
  const DraftFeed all{&sequence, 0, next, hidden, n};
  engine.draft({&all, 1});
  result.draft = difference(engine, d.logits) / golden.largest;
  for (size_t i = 0; i < d.chained_ids.size(); ++i) {
    const auto last = engine.hidden(i == 0 ? n - 1 : 0);
    const std::vector<float> from(last.begin(), last.end());
    const DraftFeed one{&sequence, n + static_cast<int64_t>(i), {&d.chained_ids[i], 1}, from, 1};
    engine.draft({&one, 1});
    const double diff = difference(engine.logits(0), d.chained_logits, static_cast<int64_t>(i));
    result.chain = std::max(result.chain, diff / golden.largest);
  }
}

int run_greedy(const GoldenCase& golden, Engine& engine) {
  Sequence sequence = engine.new_sequence();
  std::vector<int32_t> tokens = golden.prompts[golden.greedy_prompt].ids;
  int equal = 0;
  for (const int32_t expected : golden.greedy) {
    const Feed feed{&sequence, tokens, 1};
    engine.step({&feed, 1});
    const auto logits = engine.logits(0);
    const auto best =
        static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    if (best != expected) return equal;
    ++equal;
    tokens = {best};
  }
  return equal;
}

}  // namespace

double GoldenResult::worst() const {
  double worst = std::max(draft, chain);
  for (const double p : prompts) worst = std::max(worst, p);
  return worst;
}

std::vector<GoldenCase> read_goldens(const std::string& index_path) {
  std::ifstream file(index_path);
  if (!file) fail("{}: cannot be read; give the index.json of the golden checkpoints", index_path);
  try {
    std::vector<GoldenCase> cases;
    const json index = json::parse(file);
    for (const json& j : index.at("cases"))
      cases.push_back(read_case(std::filesystem::path(index_path).parent_path(), j));
    return cases;
  } catch (const json::exception& e) {
    fail("{}: {}", index_path, e.what());
  }
}

GoldenResult run_golden(const GoldenCase& golden, const TensorFile& file, bool mtp,
                        Device& device) {
  EngineOptions options;
  options.context = 512;
  options.ubatch = 320;
  options.logit_rows = 320;
  options.key_type = options.value_type = DType::F32;
  options.draft = mtp && golden.draft;
  Engine engine(file, device, options);
  GoldenResult result;
  for (const GoldenCase::Prompt& prompt : golden.prompts) {
    Sequence sequence = engine.new_sequence();
    const Feed feed{&sequence, prompt.ids, static_cast<int64_t>(prompt.ids.size())};
    engine.step({&feed, 1});
    result.prompts.push_back(difference(engine, prompt.logits) / golden.largest);
  }
  result.greedy_equal = run_greedy(golden, engine);
  if (options.draft) run_draft(golden, engine, result);
  return result;
}

}  // namespace braid
