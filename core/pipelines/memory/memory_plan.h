/// The memory plan for a budget, computed from sizes alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tensor/weights.h"

namespace kandinsky::pipelines {

/// Sizes of one component's weights in bytes.
struct ComponentMemory {
  std::string name;
  int64_t whole = 0;
  int64_t streamed = 0;  ///< at most, read layer by layer at each use; `whole` if that cannot be
  /// Of `whole`: the extra memory of packed convolutions compared with plain ones, and the part of
  /// it that remains with small tiles, and in low-memory mode.
  int64_t spread = 0;
  int64_t small_tiles_spread = 0;
  int64_t low_memory_spread = 0;
  bool has_winograd = false;  ///< some convolutions are packed for Winograd's method
  bool is_loaded = false;     ///< whole, by an earlier job
};

enum class Holding : int {
  kFreed,
  kWhole,
  kStreamed,
};

int64_t size_of(const ComponentMemory& component, Holding holding);

/// A part of a job; stages do not overlap.
struct StageMemory {
  std::string name;                ///< for messages
  std::vector<size_t> components;  ///< used together; no component is in two stages
  int64_t work = 0;                ///< bytes besides weights, at full speed
  int64_t least_work = 0;          ///< the same in low-memory mode; `work` if there is none
  /// Whether it repeats its work, so that other weights are freed for its full speed.
  bool repeats = false;
  /// The same as `work`, less the weights that small tiles save; empty if none.
  std::optional<int64_t> small_tiles_work{};
  int64_t most_at_once = 1;  ///< images, or prompts, that it would run at once
  int64_t another_work = 0;  ///< in addition to `work`, for each of them but the first
  /// Whether these read streamed weights once for all, and not each on a thread of its own.
  bool at_once_shares_reads = false;
};

struct StagePlan {
  std::vector<Holding> holdings;  ///< of each component, while this stage runs
  bool is_low_memory = false;     ///< runs in low-memory mode
  bool has_small_tiles = false;   ///< see Placement::small_tiles
  int64_t at_once = 1;            ///< images that may run at once
  int64_t peak = 0;               ///< maximum bytes in memory, including `base`
  /// The same while this job runs: weights that only a later stage loads are not there yet.
  int64_t peak_of_job = 0;
};

struct MemoryPlan {
  int64_t budget = 0;
  std::vector<StagePlan> stages;
  bool holds_everything = false;  ///< no component of the job is freed or streamed

  int64_t peak() const;         ///< of any job
  int64_t peak_of_job() const;  ///< of this one
};

struct MemoryNeeds {
  std::vector<ComponentMemory> components;  ///< sorted by the benefit of keeping them
  std::vector<StageMemory> stages;
  int64_t base = 0;  ///< of the process: libraries, small data
};

/// The fastest way to run these stages within `budget` bytes: everything stays loaded,
/// with stages that do not repeat their work in low-memory mode, a tenth slower, if needed;
/// or each stage frees weights that do not fit beside it; or it uses small tiles; or low-memory
/// mode; or it also reads its weights layer by layer, at half the speed and less. Components of
/// no stage stay if there is room. Throws Error(kOutOfMemory), with the smallest possible
/// budget, if the budget is too small.
MemoryPlan plan_memory(const MemoryNeeds& needs, int64_t budget);

/// The smallest budget for plan_memory.
int64_t least_budget(const MemoryNeeds& needs);

/// A description for the user: how weights are held and the memory of each stage, without the
/// budget.
std::string describe(const MemoryPlan& plan, const MemoryNeeds& needs);

/// A description of each stage, e.g. "prior 740 MB layer by layer".
std::vector<std::string> describe_stages(const MemoryPlan& plan, const MemoryNeeds& needs);

/// "2.46 GB", "350 MB": decimal.
std::string format_bytes(int64_t bytes);

/// How a network's tensors are stored in memory.
struct WeightLayout {
  /// Scopes whose numbered children are layers that can be streamed, e.g. "resnets" in
  /// "down_blocks.0.resnets.1.conv1.weight".
  std::vector<std::string> layers{};
  /// Prefixes of tensors that are not loaded: unused, or tables with few used rows.
  std::vector<std::string> unloaded{};
  /// Name suffixes of 3x3 convolutions after an upsampling: kept as four of 2x2 for that
  /// speed-up, unless Winograd's method is faster.
  std::vector<std::string> split{};
  /// Whether they stay split in low-memory mode: the doubled map would take more memory.
  bool keeps_splits = false;
};

/// The type and form of a network's tensors.
struct WeightForm {
  int64_t element_size = 4;
  bool splits = false;        ///< whether the layout's `split` tensors are split, unless streamed
  bool winograd = false;      ///< whether wide 3x3 convolutions use WinogradConv2d, unless streamed
  bool int8_weights = false;  ///< whether matrices are in int8, unless streamed
  /// Whether they are kept as in the file, without packing.
  bool stored_matrices = false;
};

/// The memory of these tensors. A streamed layer is held once in its own type and, while one of its
/// tensors is converted and packed, with two more copies of that tensor.
ComponentMemory measure_component(std::string name, const std::vector<tensor::TensorSize>& tensors,
                                  const WeightLayout& layout, const WeightForm& form);

}  // namespace kandinsky::pipelines
