// The arithmetic of a perplexity: what is scored, how losses become the figure and its error, and
// how a chunk is cut into steps. Follows llama-perplexity, so that figures can be compared.
//
// A text's token ids are cut into chunks of `size`, the rest is dropped. Each chunk starts from an
// empty state; its first half is context only, and each later position but the last predicts the
// id after it.
#pragma once

#include <cstdint>
#include <span>

namespace braid {

struct Chunks {
  int64_t size = 512;  // ids of a chunk

  int64_t first_scored() const { return size / 2; }
  int64_t rows() const { return size - 1; }  // nobody asks what follows the last id
  int64_t scored() const { return rows() - first_scored(); }

  // The next piece of a chunk from a position on, of at most max_rows rows, of which at most
  // max_scored are scored. Scored rows are the last ones of a piece.
  struct Piece {
    int64_t rows = 0, scored = 0;
  };
  Piece piece(int64_t position, int64_t max_rows, int64_t max_scored) const;
};

// -log softmax(logits)[id], summed in double; NaN when a logit is.
double loss_of(std::span<const float> logits, int32_t id);

class PerplexityEstimate {
 public:
  void add(double loss);
  int64_t count() const { return count_; }
  double value() const;  // exp of the mean loss
  double error() const;  // one standard error; 0 when there is nothing to tell it from

 private:
  int64_t count_ = 0;
  double sum_ = 0, squares_ = 0;
};

}  // namespace braid
