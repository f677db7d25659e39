#include "base/log.h"

#include <mutex>
#include <string>

namespace kandinsky {
namespace {

// Constant-initialised, so that nothing runs when the library is loaded.
constinit std::mutex g_mutex;
constinit LogSink g_sink = nullptr;
constinit void* g_user_data = nullptr;

}  // namespace

void set_log_sink(LogSink sink, void* user_data) noexcept {
  const std::lock_guard lock(g_mutex);
  g_sink = sink;
  g_user_data = user_data;
}

void log_message(LogLevel level, std::string_view message) {
  const std::lock_guard lock(g_mutex);
  if (g_sink == nullptr) return;
  const std::string text(message);
  g_sink(g_user_data, level, text.c_str());
}

}  // namespace kandinsky
