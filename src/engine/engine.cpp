#include "engine/engine.h"

#include "base/check.h"

#include <algorithm>
#include <limits>

namespace braid {

// The rows of a step, gathered on the host.
class Engine::Rows {
 public:
  Rows(const Engine& engine) : engine_(engine) {}

  void add(const Sequence& sequence, int64_t position, std::span<const int32_t> tokens,
           int64_t logits) {
    const int64_t n = static_cast<int64_t>(tokens.size());
    const ModelSpec& spec = engine_.spec();
    for (const int32_t token : tokens)
      if (token < 0 || token >= spec.vocabulary)
        fail("token {} is outside of the vocabulary of {}", token, spec.vocabulary);
    if (n == 0) fail("a step without tokens for a sequence");
    if (position + n > engine_.options_.context)
      fail("{} tokens do not fit: the context is {} (raise it with -c)", position + n,
           engine_.options_.context);
    if (count() + n > engine_.options_.ubatch)
      fail("a step of {} rows; at most {} were planned (-ub)", count() + n,
           engine_.options_.ubatch);
    if (static_cast<int>(segments_.size()) == engine_.options_.sequences)
      fail("more than {} sequences in a step", engine_.options_.sequences);
    for (const Segment& other : segments_)
      if (other.slot == sequence.slot()) fail("a sequence stands twice in a step");
    logits = std::min(logits, n);
    if (static_cast<int64_t>(logit_rows_.size()) + logits > engine_.options_.logit_rows)
      fail("logits of {} rows; {} were planned", static_cast<int64_t>(logit_rows_.size()) + logits,
           engine_.options_.logit_rows);
    for (int64_t r = n - logits; r < n; ++r)
      logit_rows_.push_back(static_cast<int32_t>(count() + r));
    segments_.push_back({static_cast<int32_t>(count()), static_cast<int32_t>(n),
                         static_cast<int32_t>(position), sequence.slot()});
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  }

  // After the sequences have their pages.
  void add_pages(const Sequence& sequence) {
    pages_.insert(pages_.end(), sequence.pages().begin(), sequence.pages().end());
    pages_.resize((pages_.size() + engine_.max_pages_ - 1) / engine_.max_pages_ *
                  engine_.max_pages_);
  }

  int64_t count() const { return static_cast<int64_t>(tokens_.size()); }
  int64_t logit_count() const { return static_cast<int64_t>(logit_rows_.size()); }

  void upload() const {
    const BatchView::Counts counts{static_cast<int32_t>(count()),
                                   static_cast<int32_t>(segments_.size()),
                                   static_cast<int32_t>(logit_rows_.size())};
    Device& device = engine_.device_;
    device.upload(engine_.counts_.data(), &counts, sizeof counts);
    device.upload(engine_.tokens_.data(), tokens_.data(), tokens_.size() * sizeof(int32_t));
    device.upload(engine_.segments_.data(), segments_.data(), segments_.size() * sizeof(Segment));
    device.upload(engine_.pages_.data(), pages_.data(), pages_.size() * sizeof(int32_t));
    device.upload(engine_.logit_rows_buffer_.data(), logit_rows_.data(),
                  logit_rows_.size() * sizeof(int32_t));
  }

 private:
  const Engine& engine_;
  std::vector<int32_t> tokens_, pages_, logit_rows_;
  std::vector<Segment> segments_;
};

Engine::Engine(const TensorFile& file, Device& device, const EngineOptions& options,
               const LoadHooks& hooks)
    : options_(options), device_(device), model_(load_model(file, device, hooks)) {
  const ModelSpec& s = spec();
  if (options_.draft && s.mtp_layers == 0) fail("the model has no MTP layer to draft with");
  if (options_.context == kTrainedContext) options_.context = s.context;
  if (options_.context == kUsualContext) options_.context = std::min<int64_t>(s.context, 32768);
  if (options_.context < 1 || options_.context > (int64_t{1} << 30))
    fail("a context of {} tokens", options_.context);
  if (options_.ubatch < 1 || options_.ubatch > 65536)
    fail("a micro-batch of {} rows (1 to 65536)", options_.ubatch);
  if (options_.sequences < 1 || options_.sequences > 4096)
    fail("{} sequences (1 to 4096)", options_.sequences);
  for (const DType type : {options_.key_type, options_.value_type})
    if (type != DType::F32 && type != DType::F16 && type != DType::BF16 && type != DType::Q8_0)
      fail("keys and values of type {}: Braid keeps them as F32, F16, BF16 or Q8_0 (-ctk, -ctv)",
           info(type).name);
  if (options_.spare_slots < 0 || options_.spare_slots > 4096)
    fail("{} spare slots (0 to 4096)", options_.spare_slots);
  options_.ubatch = std::max<int64_t>(options_.ubatch, options_.sequences);
  if (options_.logit_rows == 0) options_.logit_rows = options_.sequences;
  options_.logit_rows = std::min(options_.logit_rows, options_.ubatch);
  max_pages_ = StatePool::pages_for(options_.context);
  if (options_.pages < 0) fail("{} pages of keys and values", options_.pages);
  const int64_t pages =
      options_.pages > 0 ? options_.pages : max_pages_ * options_.sequences + options_.spare_slots;
  if (pages >= std::numeric_limits<int32_t>::max())
    fail("{} sequences of {} tokens: too many pages to count; take a shorter context (-c)",
         options_.sequences, options_.context);

  const StateOptions state{options_.sequences + options_.spare_slots, static_cast<int32_t>(pages),
                           options_.key_type, options_.value_type};
  pool_ = std::make_unique<StatePool>(device, s.state, state);
  plan_.trash = StatePool::slot_bytes(s.state) +
                StatePool::page_bytes(s.state, state.key_type, state.value_type);
  plan_.state = StatePool::bytes(s.state, state) - plan_.trash;
  plan_.weights = device.weight_memory();

  const size_t before = device.allocated();
  const auto rows = static_cast<size_t>(options_.ubatch),
             wanted = static_cast<size_t>(options_.logit_rows);
  const auto sequences = static_cast<size_t>(options_.sequences);
  counts_ = device.allocate(sizeof(BatchView::Counts), "the batch");
  tokens_ = device.allocate(rows * sizeof(int32_t), "the batch");
  segments_ = device.allocate(sequences * sizeof(Segment), "the batch");
  pages_ =
      device.allocate(sequences * static_cast<size_t>(max_pages_) * sizeof(int32_t), "page tables");
  logit_rows_buffer_ = device.allocate(wanted * sizeof(int32_t), "the batch");
  logits_buffer_ =
      device.allocate(wanted * static_cast<size_t>(s.vocabulary) * sizeof(float), "logits");
  options_.hidden |= options_.draft;
  const size_t hidden = rows * static_cast<size_t>(s.d_model) * sizeof(float);
  if (options_.draft) hidden_in_ = device.allocate(hidden, "hidden vectors");
  if (options_.hidden) hidden_out_ = device.allocate(hidden, "hidden vectors");
  plan_.buffers = device.allocated() - before;
  record();
  device.freeze();
}

Engine::~Engine() = default;

const ModelSpec& Engine::spec() const { return model_->spec(); }

// Twice: against an imaginary arena, to find out what is needed, and then against the real one.
void Engine::record() {
  for (int64_t rows = 1; rows < options_.ubatch; rows *= 2) buckets_.push_back(rows);
  buckets_.push_back(options_.ubatch);

  const ModelSpec& s = spec();
  size_t scratch = 0, workspace = 0;
  const auto pass = [&] {
    for (const int64_t rows : buckets_) {
      Batch b;
      b.view = {counts_.as<BatchView::Counts>(),  tokens_.as<int32_t>(),
                segments_.as<Segment>(),          pages_.as<int32_t>(),
                logit_rows_buffer_.as<int32_t>(), static_cast<int32_t>(max_pages_)};
      b.rows = rows;
      b.logit_rows = std::min(rows, options_.logit_rows);
      b.kv_pools = pool_->kv();
      b.recurrent_pools = pool_->recurrent();
      Outputs out{{logits_buffer_.as<float>(), b.logit_rows, s.vocabulary}, {}};
      if (options_.hidden) out.hidden = {hidden_out_.as<float>(), rows, s.d_model};
      const auto note = [&](std::vector<Program>& programs, auto&& forward) {
        Arena arena(scratch_.data(), scratch_.size());
        Exec ex{device_.ops(), programs.emplace_back(device_.threads(rows)), arena};
        forward(ex);
        scratch = std::max(scratch, arena.peak());
        workspace = std::max(workspace, programs.back().workspace());
      };
      note(forward_, [&](Exec& ex) { model_->forward(ex, b, out); });
      if (options_.draft)
        note(draft_, [&](Exec& ex) {
          model_->draft(ex, b, {hidden_in_.as<float>(), rows, s.d_model}, out);
        });
    }
  };
  pass();
  scratch_ = device_.allocate(scratch, "activations");
  workspace_ = device_.allocate(workspace, "workspaces");
  plan_.scratch = scratch;
  plan_.workspace = workspace;
  forward_.clear();
  draft_.clear();
  pass();
}

size_t Engine::bucket(int64_t rows) const {
  const auto found = std::lower_bound(buckets_.begin(), buckets_.end(), rows);
  CHECK(found != buckets_.end());
  return static_cast<size_t>(found - buckets_.begin());
}

const Program& Engine::program(int64_t rows) const { return forward_[bucket(rows)]; }

void Engine::run(const Rows& rows, const std::vector<Program>& programs, bool want_hidden,
                 const std::atomic<bool>* stop) {
  rows.upload();
  device_.run(programs[bucket(rows.count())], workspace_, stop);
  const auto vocabulary = static_cast<size_t>(spec().vocabulary);
  logit_rows_ = rows.logit_count();
  logits_.resize(static_cast<size_t>(logit_rows_) * vocabulary);
  device_.download(logits_.data(), logits_buffer_.data(), logits_.size() * sizeof(float));
  if (!want_hidden) return;
  hidden_.resize(static_cast<size_t>(rows.count() * spec().d_model));
  device_.download(hidden_.data(), hidden_out_.data(), hidden_.size() * sizeof(float));
}

bool Engine::step(std::span<const Feed> feeds, const std::atomic<bool>* stop) {
  Rows rows(*this);
  for (const Feed& feed : feeds)
    rows.add(*feed.sequence, feed.sequence->length(), feed.tokens, feed.logits);
  for (const Feed& feed : feeds) {
    feed.sequence->reserve(static_cast<int64_t>(feed.tokens.size()));
    rows.add_pages(*feed.sequence);
  }
  const auto abandon = [&] {
    for (const Feed& feed : feeds) feed.sequence->abandon(static_cast<int64_t>(feed.tokens.size()));
  };
  try {
    run(rows, forward_, options_.hidden, stop);
  } catch (const Stopped&) {
    abandon();
    return false;
  } catch (...) {
    abandon();
    throw;
  }
  for (const Feed& feed : feeds) feed.sequence->advance(feed.tokens);
  return true;
}

void Engine::draft(std::span<const DraftFeed> feeds) {
  if (!options_.draft) fail("the engine was started without drafting");
  Rows rows(*this);
  std::vector<float> hidden;
  for (const DraftFeed& feed : feeds) {
    CHECK(feed.hidden.size() == feed.tokens.size() * static_cast<size_t>(spec().d_model));
    CHECK(feed.position >= 0);
    rows.add(*feed.sequence, feed.position, feed.tokens, feed.logits);
    feed.sequence->unshare(feed.position);
    feed.sequence->reserve(std::max<int64_t>(
        feed.position + static_cast<int64_t>(feed.tokens.size()) - feed.sequence->length(), 0));
    rows.add_pages(*feed.sequence);
    hidden.insert(hidden.end(), feed.hidden.begin(), feed.hidden.end());
  }
  device_.upload(hidden_in_.data(), hidden.data(), hidden.size() * sizeof(float));
  run(rows, draft_, true);
}

std::span<const float> Engine::logits(int64_t row) const {
  CHECK(row >= 0 && row < logit_rows_);
  const auto vocabulary = static_cast<size_t>(spec().vocabulary);
  return std::span(logits_).subspan(static_cast<size_t>(row) * vocabulary, vocabulary);
}

std::span<const float> Engine::hidden(int64_t row) const {
  const auto d_model = static_cast<size_t>(spec().d_model);
  CHECK(row >= 0 && (static_cast<size_t>(row) + 1) * d_model <= hidden_.size());
  return std::span(hidden_).subspan(static_cast<size_t>(row) * d_model, d_model);
}

}  // namespace braid
