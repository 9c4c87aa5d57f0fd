// The devices that this build has.
#pragma once

#include "base/topology.h"
#include "device/device.h"

#include <memory>
#include <string>

namespace braid {

struct DeviceOptions {
  int threads = 0;  // 0: Topology::default_threads()
  std::string isa;  // cpu: force an instruction set (cpu/cpu_device.h names them); empty: the best
  std::string pack_cache{};  // cpu: a folder that keeps packed weights for the next start
  int threads_batch = 0;     // cpu: for steps of more than one row; 0: the same
  Pin pin = Pin::kAuto;      // cpu: how firmly threads are bound to processors
};

// Opens "cpu" or "ref". Throws Error for a name or an instruction set that is not there, and
// refuses a device whose op table has a hole.
std::unique_ptr<Device> open_device(const std::string& name, const DeviceOptions& options = {});

}  // namespace braid
