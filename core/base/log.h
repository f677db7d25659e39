#pragma once

#include <string_view>

/// Remarks that are not errors, such as an ignored tensor. One sink for the whole library, none at
/// first: a library does not write to its host's terminal unasked.
namespace kandinsky {

enum class LogLevel : int { kDebug = 0, kInfo = 1, kWarning = 2 };

/// message: UTF-8, null-terminated, without a line end, valid during the call only.
using LogSink = void (*)(void* user_data, LogLevel level, const char* message);

/// Replaces the sink; null turns logging off. The sink may be called from any thread, one call at a
/// time, and must not call set_log_sink or log_message itself. When this returns, the old sink is
/// no longer in use.
void set_log_sink(LogSink sink, void* user_data) noexcept;

/// Hands the message to the sink; does nothing when there is none.
void log_message(LogLevel level, std::string_view message);

}  // namespace kandinsky
