#include "pipelines/memory/memory_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "nn/kernels/winograd.h"
#include "nn/kernels/winograd_kernels.h"
#include "tensor/weights.h"

namespace kandinsky::pipelines {
namespace {

bool can_stream(const ComponentMemory& component) { return component.streamed < component.whole; }

int64_t least_of(const MemoryNeeds& needs, const StageMemory& stage) {
  int64_t bytes = needs.base + stage.least_work;
  for (const size_t index : stage.components)
    bytes += std::min(needs.components[index].whole, needs.components[index].streamed);
  return bytes;
}

/// The stage alone: all of its components whole if possible.
StagePlan plan_stage(const MemoryNeeds& needs, const StageMemory& stage, int64_t budget) {
  StagePlan plan;
  plan.holdings.assign(needs.components.size(), Holding::kFreed);
  int64_t weights = 0;
  for (const size_t index : stage.components) {
    plan.holdings[index] = Holding::kWhole;
    weights += needs.components[index].whole;
  }
  const auto fits = [&](int64_t work) { return needs.base + weights + work <= budget; };
  plan.has_small_tiles =
      !fits(stage.work) && stage.small_tiles_work && fits(*stage.small_tiles_work);
  plan.is_low_memory = !fits(stage.work) && !plan.has_small_tiles && stage.least_work < stage.work;
  // Streaming is slow: as few components as will do, so the largest gain first.
  std::vector<size_t> order = stage.components;
  const auto gain = [&](size_t index) {
    return needs.components[index].whole - needs.components[index].streamed;
  };
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return gain(a) > gain(b); });
  for (const size_t index : order) {
    if (fits(stage.least_work)) break;
    if (!can_stream(needs.components[index])) continue;
    plan.holdings[index] = Holding::kStreamed;
    weights -= gain(index);
  }
  // Once layers are streamed there may be room for the work at full speed again.
  if (plan.is_low_memory && fits(stage.work)) plan.is_low_memory = false;
  plan.peak = needs.base + weights +
              (plan.is_low_memory     ? stage.least_work
               : plan.has_small_tiles ? *stage.small_tiles_work
                                      : stage.work);
  return plan;
}

bool streams(const StagePlan& stage) {
  return std::ranges::find(stage.holdings, Holding::kStreamed) != stage.holdings.end();
}

/// How many more than one fit at once: only if nothing is freed for them and no streamed weights
/// would be read by each thread.
int64_t more_at_once(const StageMemory& stage, const StagePlan& plan, int64_t room) {
  if (plan.is_low_memory || (streams(plan) && !stage.at_once_shares_reads)) return 0;
  const int64_t most = stage.most_at_once - 1;
  return stage.another_work > 0 ? std::min(most, room / stage.another_work) : most;
}

bool is_in(const std::vector<size_t>& indices, size_t index) {
  return std::ranges::find(indices, index) != indices.end();
}

}  // namespace

int64_t size_of(const ComponentMemory& component, Holding holding) {
  if (holding == Holding::kFreed) return 0;
  return holding == Holding::kWhole ? component.whole : component.streamed;
}

int64_t MemoryPlan::peak() const {
  int64_t most = 0;
  for (const StagePlan& stage : stages) most = std::max(most, stage.peak);
  return most;
}

int64_t MemoryPlan::peak_of_job() const {
  int64_t most = 0;
  for (const StagePlan& stage : stages) most = std::max(most, stage.peak_of_job);
  return most;
}

int64_t least_budget(const MemoryNeeds& needs) {
  int64_t least = needs.base;
  for (const StageMemory& stage : needs.stages) least = std::max(least, least_of(needs, stage));
  return least;
}

MemoryPlan plan_memory(const MemoryNeeds& needs, int64_t budget) {
  if (const int64_t least = least_budget(needs); budget < least) {
    throw Error(ErrorCode::kOutOfMemory,
                fmt::format("this needs {} of memory at least, even with its layers read one by "
                            "one, but {} may be used; allow more, or make the image smaller",
                            format_bytes(least), format_bytes(budget)));
  }
  std::vector<size_t> used;
  for (const StageMemory& stage : needs.stages)
    used.insert(used.end(), stage.components.begin(), stage.components.end());
  int64_t all = needs.base;
  for (const size_t index : used) all += needs.components[index].whole;

  MemoryPlan plan{.budget = budget, .stages = {}, .holds_everything = true};
  for (const StageMemory& stage : needs.stages) {
    // For a single run, low-memory mode costs less time than loading again, so it comes before
    // freeing others.
    const bool all_fit = all + stage.least_work <= budget && !stage.repeats;
    int64_t own = needs.base;
    for (const size_t index : stage.components) own += needs.components[index].whole;
    plan.stages.push_back(plan_stage(needs, stage, all_fit ? budget - (all - own) : budget));
  }
  // What one stage streams, the others need not keep.
  std::vector<bool> is_streamed(needs.components.size(), false);
  for (const StagePlan& stage : plan.stages) {
    for (size_t i = 0; i < is_streamed.size(); ++i)
      is_streamed[i] = is_streamed[i] || stage.holdings[i] == Holding::kStreamed;
  }
  std::vector<bool> is_there;
  for (const ComponentMemory& component : needs.components) is_there.push_back(component.is_loaded);
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    StagePlan& stage = plan.stages[i];
    int64_t room = budget - stage.peak;
    int64_t missing = 0;
    for (const size_t index : needs.stages[i].components) is_there[index] = true;
    const auto keep_what_fits = [&](bool of_the_job) {
      for (size_t index = 0; index < needs.components.size(); ++index) {
        const int64_t size = needs.components[index].whole;
        if (is_in(used, index) != of_the_job || is_streamed[index] || size > room ||
            stage.holdings[index] != Holding::kFreed) {
          continue;
        }
        stage.holdings[index] = Holding::kWhole;
        room -= size;
        if (!is_there[index]) missing += size;
      }
    };
    keep_what_fits(true);
    const int64_t more = more_at_once(needs.stages[i], stage, room);
    stage.at_once = 1 + more;
    room -= more * needs.stages[i].another_work;
    // Weights of an earlier job may stay, but are not part of this one's needs.
    stage.peak = budget - room;
    stage.peak_of_job = stage.peak - missing;
    keep_what_fits(false);
    for (size_t index = 0; index < needs.components.size(); ++index)
      is_there[index] = is_there[index] && stage.holdings[index] == Holding::kWhole;
    for (const size_t index : used)
      plan.holds_everything = plan.holds_everything && stage.holdings[index] == Holding::kWhole;
  }
  return plan;
}

std::string format_bytes(int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000) return fmt::format("{:.2f} GB", value / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.0f} MB", value / 1e6);
  return fmt::format("{:.0f} kB", value / 1e3);
}

std::vector<std::string> describe_stages(const MemoryPlan& plan, const MemoryNeeds& needs) {
  std::vector<std::string> stages;
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    const StageMemory& stage = needs.stages[i];
    const StagePlan& planned = plan.stages[i];
    const bool is_streamed = std::ranges::any_of(stage.components, [&](size_t index) {
      return planned.holdings[index] == Holding::kStreamed;
    });
    stages.push_back(fmt::format("{} {}{}{}", stage.name, format_bytes(planned.peak),
                                 is_streamed ? " layer by layer" : "",
                                 planned.is_low_memory     ? " in low-memory mode"
                                 : planned.has_small_tiles ? " in small tiles"
                                                           : ""));
  }
  return stages;
}

std::string describe(const MemoryPlan& plan, const MemoryNeeds& needs) {
  const char* const how = plan.holds_everything ? "everything stays loaded"
                          : std::ranges::any_of(plan.stages, streams)
                              ? "layers are read when they are needed"
                              : "parts are loaded when they are needed";
  return fmt::format("{}, {} at most ({}).", how, format_bytes(plan.peak()),
                     fmt::join(describe_stages(plan, needs), ", "));
}

namespace {

/// The scope of the streamed layer that a tensor belongs to, empty for none.
std::string_view layer_of(std::string_view name, const std::vector<std::string>& layers) {
  for (const std::string& layer : layers) {
    size_t begin = 0;
    while ((begin = name.find(layer + ".", begin)) != std::string_view::npos) {
      const size_t number = begin + layer.size() + 1;
      size_t end = number;
      while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end])) != 0) ++end;
      const bool is_whole_word = begin == 0 || name[begin - 1] == '.';
      if (is_whole_word && end > number && end < name.size() && name[end] == '.')
        return name.substr(0, end);
      begin = number;
    }
  }
  return {};
}

}  // namespace

ComponentMemory measure_component(std::string name, const std::vector<tensor::TensorSize>& tensors,
                                  const WeightLayout& layout, const WeightForm& form) {
  struct Layer {
    int64_t all = 0;
    int64_t largest = 0;
  };
  std::map<std::string_view, Layer> layers;
  int64_t whole = 0;
  int64_t kept = 0;
  int64_t spread = 0;
  int64_t small_tiles_spread = 0;
  int64_t low_memory_spread = 0;
  bool has_winograd = false;
  for (const tensor::TensorSize& tensor : tensors) {
    const bool is_unloaded = std::ranges::any_of(layout.unloaded, [&](const std::string& prefix) {
      return tensor.name.starts_with(prefix);
    });
    if (is_unloaded) continue;
    const bool is_stored = form.stored_matrices && tensor.shape.size() == 2;
    const int64_t bytes = is_stored ? tensor.stored_bytes : tensor.elements * form.element_size;
    whole += form.int8_weights && tensor.shape.size() == 2 ? tensor.elements : bytes;
    const bool is_doubled = std::ranges::any_of(
        layout.split, [&](const auto& end) { return tensor.name.ends_with(end); });
    // A 3x3 kernel becomes four of 2x2, or the transformed weights of a tiling. A few with a stride
    // are also counted, although they stay plain.
    const int64_t more = bytes * 7 / 9;
    const auto spread_of = [&](bool small_tiles) -> int64_t {
      const auto tiling = form.winograd
                              ? nn::WinogradConv2d::tiling_of(tensor.shape, is_doubled, small_tiles)
                              : std::nullopt;
      has_winograd = has_winograd || tiling;
      if (tiling) return bytes * (nn::kernels::tile_products(*tiling) - 9) / 9;
      return is_doubled && form.splits ? more : 0;
    };
    spread += spread_of(false);
    small_tiles_spread += spread_of(true);
    if (is_doubled && form.splits && layout.keeps_splits) low_memory_spread += more;
    const std::string_view scope = layer_of(tensor.name, layout.layers);
    if (scope.empty()) {
      kept += bytes;
      continue;
    }
    Layer& layer = layers[scope];
    layer.all += bytes;
    layer.largest = std::max(layer.largest, bytes);
  }
  int64_t layer = 0;
  for (const auto& [scope, sizes] : layers) layer = std::max(layer, sizes.all + 2 * sizes.largest);
  whole += spread;
  return {.name = std::move(name),
          .whole = whole,
          .streamed = layers.empty() ? whole : std::min(whole, kept + layer),
          .spread = spread,
          .small_tiles_spread = small_tiles_spread,
          .low_memory_spread = low_memory_spread,
          .has_winograd = has_winograd};
}

}  // namespace kandinsky::pipelines
