/// What is in memory when, for a budget: arithmetic on sizes alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tensor/weights.h"

namespace kandinsky::pipelines {

/// What the weights of one component take, in bytes.
struct ComponentMemory {
  std::string name;
  int64_t whole = 0;
  int64_t streamed = 0;  ///< at most, read layer by layer at each use; `whole` if that cannot be
  /// Of `whole`: what convolutions that are laid out for speed take more than plain ones, and how
  /// much of that stays with small tiles, and while memory is saved.
  int64_t spread = 0;
  int64_t small_tiles_spread = 0;
  int64_t low_memory_spread = 0;
};

enum class Holding : int {
  kFreed,
  kWhole,
  kStreamed,
};

int64_t size_of(const ComponentMemory& component, Holding holding);

/// A part of a job, which ends before the next one begins.
struct StageMemory {
  std::string name;                ///< for people
  std::vector<size_t> components;  ///< used together; no component is in two stages
  int64_t work = 0;                ///< bytes besides weights, at full speed
  int64_t least_work = 0;          ///< the same while it saves memory; `work` if it cannot
  /// Whether it does its work many times over, so that all else is freed for its full speed.
  bool repeats = false;
  /// The same as `work`, less what small tiles save of the weights; none if that is nothing.
  std::optional<int64_t> small_tiles_work{};
  int64_t at_once_work = 0;  ///< on top of `work`, to go on with an image on each thread
};

struct StagePlan {
  std::vector<Holding> holdings;  ///< of each component, while this stage runs
  bool is_low_memory = false;     ///< it saves memory while it works
  bool has_small_tiles = false;   ///< it saves some: see Placement::small_tiles
  bool is_at_once = false;        ///< it works on several images at once
  int64_t peak = 0;               ///< bytes in memory at most, with `base`
};

struct MemoryPlan {
  int64_t budget = 0;
  std::vector<StagePlan> stages;
  bool holds_everything = false;  ///< no component of the job is freed or streamed

  int64_t peak() const;
};

struct MemoryNeeds {
  std::vector<ComponentMemory> components;  ///< those worth most when kept first
  std::vector<StageMemory> stages;
  int64_t base = 0;  ///< of the process: libraries, small things
};

/// How to run these stages within `budget` bytes, as fast as it allows: everything stays loaded,
/// while stages that do not repeat their work save memory, a tenth slower, where that makes it fit;
/// or each stage frees what does not fit beside it; or it has small tiles; or it saves memory while
/// it works; or it also reads its weights layer by layer, at half the speed and less. Components of
/// no stage stay where there is room. Throws Error(kOutOfMemory) naming the smallest possible
/// budget for one that is too small.
MemoryPlan plan_memory(const MemoryNeeds& needs, int64_t budget);

/// The smallest budget that plan_memory takes.
int64_t least_budget(const MemoryNeeds& needs);

/// For the person: how weights are held and what each stage takes, without the budget.
std::string describe(const MemoryPlan& plan, const MemoryNeeds& needs);

/// The same for each stage, e.g. "prior 740 MB layer by layer".
std::vector<std::string> describe_stages(const MemoryPlan& plan, const MemoryNeeds& needs);

/// "2.46 GB", "350 MB": decimal.
std::string format_bytes(int64_t bytes);

/// How a network's tensors are held.
struct WeightLayout {
  /// Scopes whose numbered parts are layers that can be streamed, e.g. "resnets" in
  /// "down_blocks.0.resnets.1.conv1.weight".
  std::vector<std::string> layers{};
  /// Prefixes of tensors that are not loaded: unused, or tables of which few rows are read.
  std::vector<std::string> unloaded{};
  /// Ends of the names of 3x3 convolutions after an upsampling: kept as four of 2x2 for that
  /// speed-up, unless Winograd's filtering is quicker still.
  std::vector<std::string> split{};
  /// Whether they stay split while memory is saved: the doubled map would take more than they do.
  bool keeps_splits = false;
};

/// The type that a network's tensors are held in.
struct WeightForm {
  int64_t element_size = 4;
  bool splits = false;        ///< whether the layout's `split` tensors are, unless streamed
  bool winograd = false;      ///< whether wide 3x3 convolutions are for WinogradConv2d, likewise
  bool int8_weights = false;  ///< whether matrices are in int8, unless streamed
  /// Whether they stay as the file has them, and nothing is laid out.
  bool stored_matrices = false;
};

/// What these tensors take. A streamed layer is there once in its own type and, while one of its
/// tensors is converted and laid out, with two more copies of that one.
ComponentMemory measure_component(std::string name, const std::vector<tensor::TensorSize>& tensors,
                                  const WeightLayout& layout, const WeightForm& form);

}  // namespace kandinsky::pipelines
