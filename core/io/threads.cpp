#include "io/threads.h"

#include <opencv2/core/utility.hpp>

namespace kandinsky::io {

void set_num_threads(int threads) { cv::setNumThreads(threads); }

}  // namespace kandinsky::io
