// What tells a model's files from others: for what is kept on a disk and belongs to one model.
#pragma once

#include <string>

namespace braid {

class TensorFile;

// 32 hexadecimal digits of the files' sizes and times, the tensors' names, types and shapes, and
// samples of their values. Where the files lie plays no part; a copy is another model.
std::string fingerprint(const TensorFile& file);

}  // namespace braid
