// Brings what a device reads from mapped files into memory before the first prompt waits for it.
#pragma once

namespace braid {

class Device;

// With progress on a terminal. Does nothing when there is no room for all of it: then each part is
// read when it is needed. Throws Interrupted after a Ctrl-C.
void warm_up(const Device& device);

}  // namespace braid
