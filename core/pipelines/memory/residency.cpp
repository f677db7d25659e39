#include "pipelines/memory/residency.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "pipelines/memory/memory_plan.h"
#include "pipelines/monitor.h"

namespace kandinsky::pipelines {

size_t Residency::add(Resident& resident, ComponentMemory memory) {
  residents_.push_back(&resident);
  memory_.push_back(std::move(memory));
  return residents_.size() - 1;
}

int64_t Residency::free_memory(const MemoryNeeds& needs) const {
  const std::optional<int64_t> available = available_memory();
  if (!available) return std::numeric_limits<int64_t>::max();
  // The base and what is loaded are no longer free, but belong to the plan.
  int64_t bytes = *available + needs.base;
  for (size_t i = 0; i < residents_.size(); ++i) {
    bytes += residents_[i]->held_bytes(memory_[i]);
  }
  return std::max<int64_t>(bytes, 0);
}

MemoryPlan Residency::plan(MemoryNeeds needs, int64_t max_memory) const {
  for (size_t i = 0; i < needs.components.size(); ++i)
    needs.components[i].is_loaded = residents_[i]->holding() == Holding::kWhole;
  return pipelines::plan_memory(needs, max_memory > 0 ? max_memory : free_memory(needs));
}

void Residency::resize(size_t index, ComponentMemory memory) {
  memory_[index] = std::move(memory);
  if (!needs_now_) return;
  needs_ = needs_now_();
  plan_ = plan(needs_, max_memory_);
}

void Residency::enter(NeedsNow needs_now, int64_t max_memory, const Monitor& monitor) {
  MemoryNeeds needs = needs_now();
  plan_ = plan(needs, max_memory);
  needs_now_ = std::move(needs_now);
  needs_ = std::move(needs);
  max_memory_ = max_memory;
  // A plan that changes nothing is not reported. Low-memory mode rounds differently.
  if (plan_.holds_everything && std::ranges::none_of(plan_.stages, &StagePlan::is_low_memory) &&
      std::ranges::none_of(plan_.stages, &StagePlan::has_small_tiles)) {
    return;
  }
  // Free memory and stages differ from job to job: each stage is reported only once.
  bool is_new = false;
  for (std::string& stage : describe_stages(plan_, needs_))
    is_new = said_.insert(std::move(stage)).second || is_new;
  if (is_new) {
    monitor.say(
        fmt::format("Memory within {}: {}", format_bytes(plan_.budget), describe(plan_, needs_)));
  }
}

const StagePlan* Residency::stage_of(size_t index) const {
  for (size_t stage = 0; stage < needs_.stages.size(); ++stage) {
    const std::vector<size_t>& used = needs_.stages[stage].components;
    if (std::ranges::find(used, index) != used.end()) return &plan_.stages[stage];
  }
  return nullptr;
}

bool Residency::make_room(size_t index) {
  const StagePlan* stage = stage_of(index);
  if (stage == nullptr) return false;
  bool has_freed = false;
  for (size_t other = 0; other < residents_.size(); ++other) {
    if (other == index || stage->holdings[other] != Holding::kFreed ||
        residents_[other]->holding() == Holding::kFreed) {
      continue;
    }
    residents_[other]->unload();
    has_freed = true;
  }
  if (has_freed) trim_heap();
  return stage->holdings[index] == Holding::kStreamed;
}

bool Residency::is_low_memory(size_t index) const {
  const StagePlan* stage = stage_of(index);
  return stage != nullptr && stage->is_low_memory;
}

bool Residency::has_small_tiles(size_t index) const {
  const StagePlan* stage = stage_of(index);
  return stage != nullptr && stage->has_small_tiles;
}

int64_t Residency::at_once(size_t index) const {
  const StagePlan* stage = stage_of(index);
  return stage != nullptr ? stage->at_once : 1;
}

}  // namespace kandinsky::pipelines
