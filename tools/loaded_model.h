// A model ready to write text: its file, tokenizer, chat template, sampling defaults and engine.
#pragma once

#include "engine/engine.h"
#include "format/tensor_file.h"
#include "sample/sampler.h"
#include "text/chat_template.h"
#include "text/model_text.h"
#include "text/tokenizer.h"
#include "tools/options.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace braid {

// -m, --chat-template, --chat-template-file, -b, -c and the other engine options, -t, --device,
// --isa, --pack-cache
struct ModelChoice {
  std::string path;           // empty: the demo model
  std::string template_name;  // of those that the model has
  std::string template_file;  // Jinja; wins
  // Spare slots: the writer goes back to the ends of prompts (generation.h).
  EngineOptions engine{.context = kUsualContext, .spare_slots = 2};
  int64_t batch = 2048;  // bounds the micro-batch
  DeviceChoice device;
};
void add_model_options(CLI::App& command, ModelChoice& choice);

class LoadedModel {
 public:
  // Opens everything, with progress on a terminal. Throws Error; Interrupted when Ctrl-C came.
  // `follow` hears of the progress too.
  explicit LoadedModel(const ModelChoice& choice,
                       const std::function<void(const LoadProgress&)>& follow = {});
  LoadedModel(const LoadedModel&) = delete;
  LoadedModel& operator=(const LoadedModel&) = delete;

  const std::string& path() const { return file_->path(); }
  const TensorFile& file() const { return *file_; }
  std::string name() const;  // general.name, or the file's
  const ModelText& text() const { return text_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  const SamplerVocabulary& sampler_vocabulary() const { return vocabulary_; }
  const SamplerOptions& sampling() const { return sampling_; }  // with what the model recommends
  bool has_chat_template() const { return template_.has_value(); }
  const ChatTemplate& chat_template() const;  // throws Error that says how to give one
  bool ends_answer(int32_t token) const;
  Engine& engine() { return *engine_; }
  int64_t context() const { return engine_->options().context; }

 private:
  std::unique_ptr<TensorFile> file_;
  ModelText text_;
  Tokenizer tokenizer_;
  SamplerVocabulary vocabulary_;
  SamplerOptions sampling_;
  std::optional<ChatTemplate> template_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Engine> engine_;
};

// The model that -m means: the path itself, or for an empty one the demo model, looked for beside
// the program and in the source tree that it was built in. Throws Error.
std::string find_model(const std::string& path);

}  // namespace braid
