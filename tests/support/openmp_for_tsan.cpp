/// GCC's OpenMP library is compiled without the thread sanitizer, which therefore does not see that
/// a team begins after what its caller did before, and ends before what the caller does next.
/// Programs that have this file say so for every team, torch's own included; what the threads of
/// one team do to each other is still seen.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

namespace {

using Work = void (*)(void* data);
using Parallel = void (*)(Work work, void* data, unsigned threads, unsigned flags);

struct Region {
  Work work;
  void* data;
  char end = 0;  ///< its place stands for the team's end, that of the whole for the beginning
};

void work_in_order(void* place) {
  __tsan_acquire(place);
  auto* const region = static_cast<Region*>(place);
  region->work(region->data);
  __tsan_release(&region->end);
}

}  // namespace

/// What the compiler makes of "#pragma omp parallel". Source: GCC, libgomp/parallel.c.
extern "C" __attribute__((visibility("default"))) void GOMP_parallel(Work work, void* data,
                                                                     unsigned threads,
                                                                     unsigned flags) {
  static const auto parallel = reinterpret_cast<Parallel>(::dlsym(RTLD_NEXT, "GOMP_parallel"));
  Region region{.work = work, .data = data};
  __tsan_release(&region);
  parallel(work_in_order, &region, threads, flags);
  __tsan_acquire(&region.end);
}
