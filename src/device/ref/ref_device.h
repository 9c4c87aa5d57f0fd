// The scalar reference: host memory, weights read from the file as they are, every operation in
// double precision as the papers have it. Slow, and what every other device is compared with.
#pragma once

#include "device/device.h"
#include "device/registry.h"

#include <memory>

namespace braid::ref {

std::unique_ptr<Device> open_ref(const DeviceOptions& options);

}  // namespace braid::ref
