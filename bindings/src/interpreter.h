#pragma once

#include <pybind11/pybind11.h>

#include <functional>
#include <new>

/// How calls leave and enter the interpreter, and what becomes of them when it ends.
///
/// CPython up to 3.13 ends a thread that asks for the GIL once the interpreter ends. It unwinds the
/// thread's stack, and with it ends the process (SIGABRT, the exit code lost) where that meets a
/// destructor or a catch (...). So jobs of other threads are cancelled and awaited before, and a
/// thread that comes too late sleeps until the process is gone.
namespace kandinsky::bindings {

/// Whether this thread's calls are to end because the interpreter does. Needs no GIL.
bool is_ending();

/// Lets other threads of Python run meanwhile.
class GilRelease {
 public:
  /// Throws StatusError(KANDINSKY_CANCELLED) if is_ending().
  GilRelease();
  /// For what only frees.
  explicit GilRelease(std::nothrow_t) noexcept;
  ~GilRelease();
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;

 private:
  PyThreadState* state_;
};

/// The opposite: inside a GilRelease of the same thread, for a callback.
class GilAcquire {
 public:
  GilAcquire();
  ~GilAcquire();
  GilAcquire(const GilAcquire&) = delete;
  GilAcquire& operator=(const GilAcquire&) = delete;
};

/// function(*arguments) with the GIL held. Throws py::error_already_set.
pybind11::object call(const pybind11::object& function, const pybind11::tuple& arguments);

/// A job that the end of the interpreter ends by `cancel`. The GIL is held at both ends of its
/// life.
class RunningJob {
 public:
  explicit RunningJob(std::function<void()> cancel);
  ~RunningJob();
  RunningJob(const RunningJob&) = delete;
  RunningJob& operator=(const RunningJob&) = delete;

  void cancel() const { cancel_(); }

 private:
  std::function<void()> cancel_;
};

}  // namespace kandinsky::bindings
