// What requests take together of something that is bounded: places, bytes of bodies, bytes of
// answers. A share gives back what it has when it goes, and may outlive the server.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace braid {

class Budget {
 public:
  explicit Budget(size_t limit) : limit_(limit) {}

  size_t limit() const { return limit_; }
  size_t used() const { return used_.load(); }
  size_t left() const {
    const size_t now = used();
    return now < limit_ ? limit_ - now : 0;
  }
  bool take(size_t amount) {
    size_t now = used();
    do {
      if (amount > limit_ - (now < limit_ ? now : limit_)) return false;
    } while (!used_.compare_exchange_weak(now, now + amount));
    return true;
  }
  void take_anyway(size_t amount) { used_ += amount; }
  void give(size_t amount) { used_ -= amount; }

 private:
  const size_t limit_;
  std::atomic<size_t> used_{0};
};

// Its owner sees to threads.
class BudgetShare {
 public:
  BudgetShare() = default;
  explicit BudgetShare(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}
  BudgetShare(BudgetShare&& other) noexcept
      : budget_(std::move(other.budget_)), amount_(std::exchange(other.amount_, 0)) {}
  BudgetShare& operator=(BudgetShare&& other) noexcept {
    shrink(amount_);
    budget_ = std::move(other.budget_);
    amount_ = std::exchange(other.amount_, 0);
    return *this;
  }
  ~BudgetShare() { shrink(amount_); }

  size_t amount() const { return amount_; }
  size_t limit() const { return budget_ ? budget_->limit() : 0; }
  size_t left() const { return budget_ ? budget_->left() : 0; }
  bool grow(size_t amount) {
    if (!budget_->take(amount)) return false;
    amount_ += amount;
    return true;
  }
  void grow_anyway(size_t amount) {
    budget_->take_anyway(amount);
    amount_ += amount;
  }
  void shrink(size_t amount) {
    if (amount == 0) return;
    budget_->give(amount);
    amount_ -= amount;
  }
  void clear() { shrink(amount_); }

 private:
  std::shared_ptr<Budget> budget_;
  size_t amount_ = 0;
};

}  // namespace braid
