// Brings a model's weights from the disk into memory before the first prompt waits for them.
#pragma once

namespace braid {

class TensorFile;

// Reads the tensors in the order of the file, with progress on a terminal. Does nothing when they
// are in memory already, and nothing when there is no room for all of them: then each is read when
// it is needed. Throws Interrupted after a Ctrl-C.
void warm_up(const TensorFile& file);

}  // namespace braid
