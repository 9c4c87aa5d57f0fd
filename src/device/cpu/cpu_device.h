// The CPU: host memory, a team of threads, and the kernels of the best instruction set that it has.
#pragma once

#include "device/cpu/kernels/kernels.h"
#include "device/device.h"
#include "device/registry.h"

#include <memory>
#include <string>
#include <vector>

namespace braid::cpu {

// Instruction sets with kernels in this build, best first; and those that this processor can run.
std::vector<std::string> built_isas();
std::vector<std::string> usable_isas();

// The kernels of one of them.
Kernels kernels_of(const std::string& isa);

std::unique_ptr<Device> open_cpu(const DeviceOptions& options);

}  // namespace braid::cpu
