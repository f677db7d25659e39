/// Part of kandinsky.hpp: embeds.
#ifndef KANDINSKY_EMBEDS_HPP_
#define KANDINSKY_EMBEDS_HPP_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kandinsky_status.hpp"

namespace kandinsky {

/// One side's guidance for a batch of images. Empty when default-constructed.
class Embeds {
 public:
  Embeds() = default;
  explicit Embeds(kandinsky_embeds* embeds) : embeds_(embeds) {}
  static Embeds load(const std::string& path) {
    kandinsky_embeds* embeds = nullptr;
    check(kandinsky_embeds_load(path.c_str(), &embeds));
    return Embeds(embeds);
  }
  /// `text` may be null: the first item's text. See kandinsky_embeds_combine.
  static Embeds combine(const std::vector<const Embeds*>& items, const std::vector<double>& weights,
                        const Embeds* text = nullptr, const std::string& method = "sum") {
    if (items.size() != weights.size())
      throw StatusError(KANDINSKY_INVALID_ARGUMENT, "combine: as many weights as items are needed");
    const std::vector<const kandinsky_embeds*> raw = raw_items(items);
    kandinsky_embeds* embeds = nullptr;
    check(kandinsky_embeds_combine(raw.data(), weights.data(), raw.size(),
                                   text == nullptr ? nullptr : text->get(), method.c_str(),
                                   &embeds));
    return Embeds(embeds);
  }
  static Embeds concat(const std::vector<const Embeds*>& items) {
    const std::vector<const kandinsky_embeds*> raw = raw_items(items);
    kandinsky_embeds* embeds = nullptr;
    check(kandinsky_embeds_concat(raw.data(), raw.size(), &embeds));
    return Embeds(embeds);
  }
  Embeds select(const std::vector<int32_t>& rows) const {
    kandinsky_embeds* embeds = nullptr;
    check(kandinsky_embeds_select(get(), rows.data(), rows.size(), &embeds));
    return Embeds(embeds);
  }
  void save(const std::string& path) const { check(kandinsky_embeds_save(get(), path.c_str())); }
  int32_t batch_size() const { return kandinsky_embeds_batch_size(get()); }
  /// Borrowed data and its shape; see kandinsky_embeds_tensor.
  const float* tensor(const char* name, int64_t shape[3]) const {
    const float* data = nullptr;
    check(kandinsky_embeds_tensor(get(), name, &data, shape));
    return data;
  }
  const kandinsky_embeds* get() const { return embeds_.get(); }
  explicit operator bool() const { return embeds_ != nullptr; }

 private:
  static std::vector<const kandinsky_embeds*> raw_items(const std::vector<const Embeds*>& items) {
    std::vector<const kandinsky_embeds*> raw;
    for (const Embeds* item : items) raw.push_back(item->get());
    return raw;
  }
  struct Free {
    void operator()(kandinsky_embeds* embeds) const { kandinsky_embeds_free(embeds); }
  };
  std::unique_ptr<kandinsky_embeds, Free> embeds_;
};

}  // namespace kandinsky

#endif  // KANDINSKY_EMBEDS_HPP_
