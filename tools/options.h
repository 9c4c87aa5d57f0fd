// Options that several commands share, parsed in one place: device, threads, cache types, sizes.
#pragma once

#include "device/registry.h"
#include "engine/engine.h"
#include "tools/sampler_options.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

namespace braid {

struct DeviceChoice {
  std::string name = "cpu";
  DeviceOptions options;
};
// -t, -tb, --pin, --device, --isa, --pack-cache
void add_device_options(CLI::App& command, DeviceChoice& choice);
// Without -t and -tb, for commands that take a list of it.
void add_device_kind_options(CLI::App& command, DeviceChoice& choice);
std::unique_ptr<Device> open_device(const DeviceChoice& choice);

// -c, -ub, -ctk, -ctv. The defaults are what the EngineOptions hold.
void add_engine_options(CLI::App& command, EngineOptions& options);

// -ctk, -ctv
void add_cache_type_options(CLI::App& command, EngineOptions& options);

// An integer option that refuses numbers outside of [min, max] on the command line.
CLI::Option* add_integer(CLI::App& command, const std::string& names, int64_t& value, int64_t min,
                         int64_t max, const std::string& help);

// "f16" -> DType::F16. Throws Error for a type that keys and values cannot have.
DType cache_type(const std::string& name);
std::string cache_type_name(DType type);

}  // namespace braid
