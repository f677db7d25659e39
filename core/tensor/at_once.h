/// Several independent pieces of work at once, each on one thread. Where there are as many of them
/// as threads that takes less time than one after another on all threads, which wait for the
/// slowest of them in every layer.
#pragma once

#include <cstdint>
#include <functional>

namespace kandinsky::tensor {

/// How many of `count` pieces run at once where there is memory for it: one for each thread, or 1
/// if there are fewer pieces than threads.
int64_t most_at_once(int64_t count);

/// Calls piece(i) for 0 <= i < count: in order, but with RunContext::images_at_once as many at
/// once as there are threads, all under this thread's context and torch state. After each of those
/// groups, calls done(how many are done) on this thread. An error ends the others of its group
/// after their next block, and is thrown.
void each_at_once(int64_t count, const std::function<void(int64_t)>& piece,
                  const std::function<void(int64_t)>& done = {});

}  // namespace kandinsky::tensor
