#include "device/registry.h"

#include "base/check.h"
#include "device/cpu/cpu_device.h"
#include "device/ref/ref_device.h"

namespace braid {

std::unique_ptr<Device> open_device(const std::string& name, const DeviceOptions& options) {
  std::unique_ptr<Device> device;
  if (name == "cpu") device = cpu::open_cpu(options);
  if (name == "ref") device = ref::open_ref(options);
  if (!device) fail("there is no device \"{}\"; this build has cpu and ref", name);
  device->ops().for_each([&](const char* op, const auto& entry) {
    CHECK_THAT(static_cast<bool>(entry), "{} has no {}", device->name(), op);
  });
  return device;
}

}  // namespace braid
