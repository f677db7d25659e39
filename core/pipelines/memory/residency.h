/// Keeps a pipeline's components within a memory plan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "pipelines/memory/memory_plan.h"
#include "pipelines/monitor.h"

namespace kandinsky::pipelines {

/// The residency's interface of a component.
class Resident {
 public:
  virtual ~Resident() = default;
  virtual Holding holding() const = 0;
  /// Its present holding. memory: its sizes.
  virtual int64_t held_bytes(const ComponentMemory& memory) const {
    return size_of(memory, holding());
  }
  virtual void unload() = 0;
};

/// Decides which components may be loaded, and how. Without a plan all of them may.
class Residency {
 public:
  /// The component's index, in the order of `components` of all later needs. It must outlive this
  /// object.
  size_t add(Resident& resident, ComponentMemory memory);

  const std::vector<ComponentMemory>& components() const { return memory_; }
  const std::string& name(size_t index) const { return memory_[index].name; }

  /// The sizes of a component, and maybe of its stage, have changed. Throws Error(kOutOfMemory) if
  /// the current needs no longer fit.
  void resize(size_t index, ComponentMemory memory);

  /// Returns a job's needs, with the components' current sizes.
  using NeedsNow = std::function<MemoryNeeds()>;

  /// The plan for these needs. max_memory: bytes; 0: the free memory, less a reserve.
  /// Throws Error(kOutOfMemory) as plan_memory.
  MemoryPlan plan(MemoryNeeds needs, int64_t max_memory) const;

  /// Applies that plan until the next one, and reports it if not everything stays loaded and
  /// a stage of it was not reported before.
  void enter(NeedsNow needs, int64_t max_memory, const Monitor& monitor);

  /// Called before a component is used: frees those that the plan does not allow beside it. Returns
  /// whether its layers must be streamed.
  bool make_room(size_t index);

  /// Whether the component's stage runs in low-memory mode.
  bool is_low_memory(size_t index) const;

  /// Whether it uses small tiles.
  bool has_small_tiles(size_t index) const;

  /// How many images it may run at once.
  int64_t at_once(size_t index) const;

 private:
  int64_t free_memory(const MemoryNeeds& needs) const;
  /// The stage that uses this component, or null.
  const StagePlan* stage_of(size_t index) const;

  std::vector<Resident*> residents_;
  std::vector<ComponentMemory> memory_;
  NeedsNow needs_now_;
  MemoryNeeds needs_;
  int64_t max_memory_ = 0;
  MemoryPlan plan_;
  std::set<std::string> said_;  ///< reported stages
};

}  // namespace kandinsky::pipelines
