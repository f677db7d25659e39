#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace kandinsky::tensor {

/// Threads that run body(i) for 0 <= i < count; fewer if a limit on processes or memory lets no
/// more of them start. The caller joins them, before anything can throw. Each has a copy of `body`,
/// which must not throw.
template <typename Body>
std::vector<std::thread> start_threads(int64_t count, const Body& body) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(count));
  try {
    for (int64_t i = 0; i < count; ++i) threads.emplace_back(body, i);
  } catch (const std::system_error&) {
    return threads;  // there are too many
  } catch (const std::bad_alloc&) {
    return threads;  // there is no memory for what belongs to one
  }
  return threads;
}

}  // namespace kandinsky::tensor
