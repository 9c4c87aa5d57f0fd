// The tokens that may still be chosen, with their logits: what the stages of sampling work on.
//
// It starts as the whole vocabulary in the order of ids. Stages change logits or remove entries.
// "Descending" is by logit, equal ones by the lower id, so the order of a walk never depends on how
// a standard library selects. Memory is kept from one token to the next.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace braid {

struct Candidate {
  int32_t id;
  float logit;
};

// What turns the logits of a list into probabilities: p = exp(logit - max) / sum, in double.
struct Softmax {
  double max;
  double sum;
  double weight(float logit) const { return std::exp(static_cast<double>(logit) - max); }
  double probability(float logit) const { return weight(logit) / sum; }
};

Softmax softmax_of(std::span<const Candidate> candidates);  // at least one

class Candidates {
 public:
  // Entry i is token i. Throws InternalError for a logit that is NaN or +inf: it names the token.
  void assign(std::span<const float> logits);

  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  std::span<const Candidate> items() const { return items_; }

  // For writing logits. The second is for changes after which no entry passes another.
  std::span<Candidate> change() {
    sorted_ = 0;
    return items_;
  }
  std::span<Candidate> change_keeping_order() { return items_; }

  float max_logit() const;  // the list is not empty
  Softmax softmax() const { return softmax_of(items_); }
  size_t best() const;  // index of the first in descending order

  // Entry i in descending order; sorts as far as needed and no further.
  const Candidate& descending(size_t i);

  void keep_best(size_t n);
  void remove_best(size_t n);

  // Keeps the entries for which keep(index) holds, in the order in which they are.
  template <class Keep>
  void keep_if(Keep keep) {
    size_t kept = 0, kept_sorted = 0;
    for (size_t i = 0; i < items_.size(); ++i) {
      if (!keep(i)) continue;
      if (i < sorted_) ++kept_sorted;
      items_[kept++] = items_[i];
    }
    items_.resize(kept);
    sorted_ = kept_sorted;
  }

 private:
  std::vector<Candidate> items_;
  size_t sorted_ = 0;  // so many are in descending order, and none of the others before them
};

}  // namespace braid
