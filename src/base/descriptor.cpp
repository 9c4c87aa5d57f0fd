#include "base/descriptor.h"

#include <unistd.h>

namespace braid {

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace braid
