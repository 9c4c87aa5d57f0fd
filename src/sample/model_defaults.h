// What a model recommends for sampling: general.sampling.* of a GGUF file, generation_config.json
// of a Hugging Face folder.
//
// Values are judged by apply_defaults() (options.h). A value of the wrong kind is an Error here.
// mirostat, which some files name, is not a stage that Braid has, and is not read.
#pragma once

#include "sample/options.h"

#include <string_view>

namespace braid {

class JsonConfig;
class Metadata;
class TensorFile;

// Nothing set when the model says nothing.
SamplingDefaults read_sampling_defaults(const TensorFile& file);

SamplingDefaults read_sampling_defaults(const Metadata& metadata);
SamplingDefaults read_sampling_defaults(const JsonConfig& generation_config);

}  // namespace braid
