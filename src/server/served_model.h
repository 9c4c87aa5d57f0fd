// What the API knows of the model that it serves. Whoever made it owns all that it refers to, and
// keeps it until the last handler has returned and the scheduler has shut down.
#pragma once

#include "engine/scheduler.h"
#include "sample/options.h"
#include "sample/sampler.h"
#include "server/metrics.h"
#include "text/chat_template.h"
#include "text/model_text.h"
#include "text/tokenizer.h"

#include <cstdint>
#include <string>
#include <vector>

namespace braid {

struct ServedModel {
  Scheduler& scheduler;
  const ModelText& text;
  const Tokenizer& tokenizer;
  const ChatTemplate* chat_template;  // null: the model has none
  const SamplerOptions& sampling;     // where a request says nothing
  const SamplerVocabulary& sampler_vocabulary;
  Metrics& metrics;

  std::vector<int32_t> end_tokens;
  std::string name;         // as clients call it
  std::string path;         // of its file or folder
  int64_t context = 0;      // most tokens of a request, prompt and answer
  int slots = 1;            // requests that run at a time
  int64_t max_tokens = -1;  // of an answer whose request says nothing; below 0: what fits
  int64_t created = 0;      // seconds since 1970: when it was loaded
  bool embeds = false;      // the engine keeps hidden vectors
  // For saved slots; null: there is none.
  SlotFolder* slot_folder = nullptr;
};

}  // namespace braid
