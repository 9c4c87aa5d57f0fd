#include "tools/loaded_model.h"

#include "base/check.h"
#include "format/metadata.h"
#include "format/open.h"
#include "sample/model_defaults.h"
#include "tools/files.h"
#include "tools/load_progress.h"
#include "tools/warm_up.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace braid {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDemo = "assets/braid-demo.gguf";

// The installed program has its data beside it, one from a build folder in the source tree above.
std::vector<fs::path> demo_places() {
  std::vector<fs::path> places;
  std::error_code failed;
  const fs::path program = fs::read_symlink("/proc/self/exe", failed);
  if (!failed) {
    const fs::path folder = program.parent_path();
    places = {folder / "../share/braid" / fs::path(kDemo).filename(), folder / ".." / kDemo};
  }
  places.emplace_back(kDemo);
  return places;
}

SamplerOptions sampling_of(const TensorFile& file) {
  SamplerOptions options;
  apply_defaults(read_sampling_defaults(file), file.path(), options);
  return options;
}

std::optional<ChatTemplate> template_of(const ModelChoice& choice, const ModelText& text,
                                        const std::string& path) {
  std::string source = choice.template_file.empty() ? text.template_named(choice.template_name)
                                                    : read_file(choice.template_file);
  if (source.empty() && choice.template_file.empty()) return std::nullopt;
  const std::string& title = choice.template_file.empty() ? path : choice.template_file;
  return ChatTemplate(std::move(source),
                      {.title = fmt::format("{}: chat template", title), .limits = {}, .now = {}});
}

}  // namespace

void add_model_options(CLI::App& command, ModelChoice& choice) {
  command
      .add_option("-m,--model", choice.path,
                  "The model: a GGUF file or a Hugging Face folder (default: the demo model)")
      ->type_name("FILE");
  command
      .add_option("--chat-template", choice.template_name,
                  "Which of the model's chat templates, by its name (default: the unnamed one)")
      ->type_name("NAME");
  command
      .add_option("--chat-template-file", choice.template_file,
                  "A chat template (Jinja) in place of the model's own")
      ->type_name("FILE");
  add_engine_options(command, choice.engine);
  add_integer(command, "-b,--batch-size", choice.batch, 1, int64_t{1} << 30,
              fmt::format("Bounds --ubatch-size (default: {})", choice.batch));
  add_device_options(command, choice.device);
}

std::string find_model(const std::string& path) {
  if (!path.empty()) return path;
  std::string looked;
  for (const fs::path& place : demo_places()) {
    std::error_code ignored;
    if (fs::exists(place, ignored)) return place.lexically_normal().string();
    looked += fmt::format("{}{}", looked.empty() ? "" : ", ", place.lexically_normal().string());
  }
  fail("no model was named, and the demo model is not there (looked for {}): name one with -m",
       looked);
}

LoadedModel::LoadedModel(const ModelChoice& choice,
                         const std::function<void(const LoadProgress&)>& follow)
    : file_(open_model_file(find_model(choice.path))),
      text_(read_model_text(*file_)),
      tokenizer_(text_.vocabulary),
      vocabulary_(braid::sampler_vocabulary(tokenizer_)),
      sampling_(sampling_of(*file_)),
      template_(template_of(choice, text_, file_->path())),
      device_(open_device(choice.device)) {
  EngineOptions options = choice.engine;
  options.ubatch = std::min(options.ubatch, choice.batch);
  if (options.context > 0) options.ubatch = std::min(options.ubatch, options.context);
  {
    LoadWatch watch;
    LoadHooks hooks = watch.hooks();
    if (follow)
      hooks.progress = [shown = std::move(hooks.progress), &follow](const LoadProgress& progress) {
        shown(progress);
        follow(progress);
      };
    engine_ = std::make_unique<Engine>(*file_, *device_, options, hooks);
  }
  warm_up(*device_);
}

std::string LoadedModel::name() const {
  if (const Metadata* metadata = file_->metadata())
    if (const auto name = metadata->string_or("general.name", ""); !name.empty())
      return std::string(name);
  const fs::path path = fs::path(this->path()).lexically_normal();
  return path.has_filename() ? path.stem().string() : path.parent_path().filename().string();
}

const ChatTemplate& LoadedModel::chat_template() const {
  if (!template_)
    fail("{}: has no chat template: give one with --chat-template-file, or use braid run", path());
  return *template_;
}

bool LoadedModel::ends_answer(int32_t token) const {
  return std::find(text_.end_ids.begin(), text_.end_ids.end(), token) != text_.end_ids.end();
}

}  // namespace braid
