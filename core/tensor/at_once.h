/// Runs independent pieces of work in parallel, each on its share of the threads. This is faster
/// than one after another on all threads, which wait for the slowest thread in every layer.
#pragma once

#include <cstdint>
#include <functional>

namespace kandinsky::tensor {

/// How many of `count` pieces to run at once on so many threads, each on the same number of them,
/// so that all pieces, in groups of `most` at most, take the least time. On n threads a piece is
/// assumed to take kSerialShare + (1 - kSerialShare) / n of its time on one (Amdahl's law).
int64_t pieces_at_once(int64_t count, int64_t threads, int64_t most);

/// Measured: on two threads, four images take 0.87 of the time if two of them run at once.
inline constexpr double kSerialShare = 0.15;

/// How many of `count` pieces run at once at first, if there is enough memory for `most`:
/// pieces_at_once() of this thread's threads, or, where OpenMP's threads are bound to processors,
/// as many as there are threads or one.
int64_t most_at_once(int64_t count, int64_t most);

/// Calls piece(i) for 0 <= i < count, in groups of most_at_once() of RunContext::images_at_once,
/// all under this thread's context and torch state. After each group, calls done(number done) on
/// this thread. An error stops the others of its group after their next block, and is rethrown.
void each_at_once(int64_t count, const std::function<void(int64_t)>& piece,
                  const std::function<void(int64_t)>& done = {});

}  // namespace kandinsky::tensor
