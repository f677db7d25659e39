/// Runs independent pieces of work in parallel, each on one thread. With as many pieces as threads
/// this is faster than one after another on all threads, which wait for the slowest thread in every
/// layer.
#pragma once

#include <cstdint>
#include <functional>

namespace kandinsky::tensor {

/// How many of `count` pieces run at once if there is enough memory: one for each thread, or 1
/// if there are fewer pieces than threads.
int64_t most_at_once(int64_t count);

/// Calls piece(i) for 0 <= i < count: in order, or with RunContext::images_at_once in groups of as
/// many as there are threads, all under this thread's context and torch state. After each
/// group, calls done(number done) on this thread. An error stops the others of its group
/// after their next block, and is rethrown.
void each_at_once(int64_t count, const std::function<void(int64_t)>& piece,
                  const std::function<void(int64_t)>& done = {});

}  // namespace kandinsky::tensor
