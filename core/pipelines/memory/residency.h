/// Keeps a pipeline's components within a memory plan.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "pipelines/memory/memory_plan.h"
#include "pipelines/monitor.h"

namespace kandinsky::pipelines {

/// What the residency needs to know of a component.
class Resident {
 public:
  virtual ~Resident() = default;
  virtual Holding holding() const = 0;
  /// What it holds now. memory: what it may.
  virtual int64_t held_bytes(const ComponentMemory& memory) const {
    return size_of(memory, holding());
  }
  virtual void unload() = 0;
};

/// Says which components may be loaded, and how. Without a plan all of them may.
class Residency {
 public:
  /// The component's index, in the order of `components` of all later needs. It outlives this
  /// object.
  size_t add(Resident& resident, ComponentMemory memory);

  const std::vector<ComponentMemory>& components() const { return memory_; }
  const std::string& name(size_t index) const { return memory_[index].name; }

  /// A component takes another size from now on, and its stage may. Throws Error(kOutOfMemory) if
  /// the needs that are in force do not fit any more.
  void resize(size_t index, ComponentMemory memory);

  /// Tells what a job needs, with the components' sizes as they are when it is called.
  using NeedsNow = std::function<MemoryNeeds()>;

  /// The plan for these needs. max_memory: bytes; 0: what the machine has free, less a reserve.
  /// Throws Error(kOutOfMemory) as plan_memory.
  MemoryPlan plan(const MemoryNeeds& needs, int64_t max_memory) const;

  /// Puts that plan into force until the next one, and says it if not everything stays loaded and
  /// a stage of it was not said before.
  void enter(NeedsNow needs, int64_t max_memory, const Monitor& monitor);

  /// Called before a component is used: frees those that the plan does not allow beside it. Returns
  /// whether its layers are to be streamed.
  bool make_room(size_t index);

  /// Whether the component's stage is to save memory while it works.
  bool is_low_memory(size_t index) const;

  /// Whether it is to have small tiles.
  bool has_small_tiles(size_t index) const;

  /// Whether it may work on several images at once.
  bool is_at_once(size_t index) const;

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
  std::set<std::string> said_;  ///< stages
};

}  // namespace kandinsky::pipelines
