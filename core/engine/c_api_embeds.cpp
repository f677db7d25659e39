/// The part of kandinsky.h for embeds.
#include "engine/c_api_embeds.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "engine/c_api_guard.h"
#include "pipelines/embeds.h"
#include "tensor/device.h"
#include "tensor/team.h"

using kandinsky::Error;
using kandinsky::ErrorCode;
using kandinsky::Span;
using kandinsky::engine::check_count;
using kandinsky::engine::guarded;
using kandinsky::engine::or_empty;
using kandinsky::engine::required;
using kandinsky::pipelines::Embeds;
using kandinsky::pipelines::MixMethod;
using kandinsky::tensor::JobGuard;
using kandinsky::tensor::TeamGuard;

namespace {

std::vector<const Embeds*> read_items(const kandinsky_embeds* const* items, size_t count) {
  if (count > 0) required(items, "items");
  check_count("items", count, kandinsky::limits::kMaxEmbedsRows);
  std::vector<const Embeds*> embeds;
  for (size_t i = 0; i < count; ++i) embeds.push_back(&required(items[i], "item").embeds);
  return embeds;
}

MixMethod read_method(std::string_view method) {
  if (method == "sum") return MixMethod::kSum;
  if (method == "slerp") return MixMethod::kSlerp;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("method is \"{}\", expected one of: \"sum\", \"slerp\"", method));
}

}  // namespace

extern "C" {

void kandinsky_embeds_free(kandinsky_embeds* embeds) { delete embeds; }

int32_t kandinsky_embeds_batch_size(const kandinsky_embeds* embeds) {
  return embeds == nullptr ? 0 : static_cast<int32_t>(embeds->embeds.batch_size());
}

kandinsky_status kandinsky_embeds_tensor(const kandinsky_embeds* embeds, const char* name,
                                         const float** data, int64_t shape[3]) {
  return guarded([&] {
    const at::Tensor& tensor = required(embeds, "embeds").embeds.at(&required(name, "name"));
    required(data, "data");
    required(shape, "shape");
    *data = tensor.const_data_ptr<float>();
    for (int64_t i = 0; i < 3; ++i) shape[i] = i < tensor.dim() ? tensor.size(i) : 0;
  });
}

kandinsky_status kandinsky_embeds_combine(const kandinsky_embeds* const* items,
                                          const double* weights, size_t count,
                                          const kandinsky_embeds* text, const char* method,
                                          kandinsky_embeds** out) {
  return guarded([&] {
    const std::vector<const Embeds*> embeds = read_items(items, count);
    if (count > 0) required(weights, "weights");
    const MixMethod mix = read_method(&required(method, "method"));
    kandinsky_embeds*& combined = required(out, "out");
    const TeamGuard team;
    const JobGuard guard;
    combined = new kandinsky_embeds{kandinsky::pipelines::combine_embeds(
        embeds, {weights, count}, text == nullptr ? nullptr : &text->embeds, mix)};
  });
}

kandinsky_status kandinsky_embeds_concat(const kandinsky_embeds* const* items, size_t count,
                                         kandinsky_embeds** out) {
  return guarded([&] {
    const std::vector<const Embeds*> embeds = read_items(items, count);
    kandinsky_embeds*& joined = required(out, "out");
    const TeamGuard team;
    const JobGuard guard;
    joined = new kandinsky_embeds{kandinsky::pipelines::concat_embeds(embeds)};
  });
}

kandinsky_status kandinsky_embeds_select(const kandinsky_embeds* embeds, const int32_t* rows,
                                         size_t count, kandinsky_embeds** out) {
  return guarded([&] {
    const Embeds& from = required(embeds, "embeds").embeds;
    if (count > 0) required(rows, "rows");
    check_count("rows", count, kandinsky::limits::kMaxEmbedsRows);
    const std::vector<int64_t> wanted(rows, rows + count);
    kandinsky_embeds*& selected = required(out, "out");
    const TeamGuard team;
    const JobGuard guard;
    selected = new kandinsky_embeds{kandinsky::pipelines::select_embeds(from, wanted)};
  });
}

kandinsky_status kandinsky_embeds_save(const kandinsky_embeds* embeds, const char* path) {
  return guarded([&] {
    kandinsky::pipelines::save_embeds(required(embeds, "embeds").embeds, &required(path, "path"));
  });
}

kandinsky_status kandinsky_embeds_load(const char* path, kandinsky_embeds** out) {
  return guarded([&] {
    kandinsky_embeds*& loaded = required(out, "out");
    const TeamGuard team;
    const JobGuard guard;
    loaded = new kandinsky_embeds{kandinsky::pipelines::load_embeds(&required(path, "path"))};
  });
}

}  // extern "C"
