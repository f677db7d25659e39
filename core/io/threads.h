#pragma once

namespace kandinsky::io {

/// Threads that reading, resizing and blurring pictures may use, in the whole process. At least 1.
void set_num_threads(int threads);

}  // namespace kandinsky::io
