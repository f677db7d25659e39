#pragma once

#include <cstddef>
#include <list>
#include <utility>

namespace kandinsky::pipelines {

/// A small LRU cache.
template <typename Key, typename Value>
class RecentlyUsed {
 public:
  explicit RecentlyUsed(size_t capacity) : capacity_(capacity) {}

  /// Null if there is no such key. Valid until the next put().
  const Value* find(const Key& key) {
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (!(entry->first == key)) continue;
      entries_.splice(entries_.begin(), entries_, entry);
      return &entries_.front().second;
    }
    return nullptr;
  }

  void put(Key key, Value value) {
    entries_.remove_if([&](const auto& entry) { return entry.first == key; });
    entries_.emplace_front(std::move(key), std::move(value));
    if (entries_.size() > capacity_) entries_.pop_back();
  }

 private:
  size_t capacity_;
  std::list<std::pair<Key, Value>> entries_;  ///< most recently used first
};

}  // namespace kandinsky::pipelines
