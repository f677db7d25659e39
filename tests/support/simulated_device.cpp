#include "support/simulated_device.h"

#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/view_native.h>
#include <c10/core/Allocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <sys/mman.h>
#include <torch/library.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace kandinsky::test::simulated_device {
namespace {

#if TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 5
template <typename T>
using Optional = c10::optional<T>;  // a class of its own at first
#else
template <typename T>
using Optional = std::optional<T>;
#endif

constexpr auto kType = c10::DeviceType::PrivateUse1;
const at::Device kDevice(kType, 0);

/// The device's memory, mapped twice: where its tensors say they are, it can be neither read nor
/// written; the operators below know where it is in truth.
class Memory {
 public:
  static Memory& get() {
    static Memory* const memory = new Memory;  // outlives every tensor
    return *memory;
  }

  void* take(size_t wanted) {
    const size_t size = std::max<size_t>(1, (wanted + kAlignment - 1) / kAlignment) * kAlignment;
    const std::lock_guard lock(mutex_);
    const auto taken = static_cast<int64_t>(size);
    TORCH_CHECK_WITH(OutOfMemoryError, limit_ == 0 || allocated_ + taken <= limit_,
                     "the simulated device is out of memory: ", wanted, " bytes are wanted, ",
                     allocated_, " of ", limit_, " are held");
    const auto place =
        std::ranges::find_if(free_, [size](const auto& block) { return block.second >= size; });
    TORCH_CHECK_WITH(OutOfMemoryError, place != free_.end(), "the simulated device is full");
    const auto [begin, length] = *place;
    free_.erase(place);
    if (length > size) free_.emplace(begin + size, length - size);
    sizes_.emplace(begin, size);
    allocated_ += taken;
    peak_ = std::max(peak_, allocated_);
    return shown_ + begin;
  }

  void give_back(void* address) {
    const std::lock_guard lock(mutex_);
    const auto taken = sizes_.find(static_cast<size_t>(static_cast<char*>(address) - shown_));
    size_t begin = taken->first;
    size_t size = taken->second;
    sizes_.erase(taken);
    allocated_ -= static_cast<int64_t>(size);
    const auto after = free_.lower_bound(begin);
    if (after != free_.begin()) {
      const auto before = std::prev(after);
      if (before->first + before->second == begin) {
        begin = before->first;
        size += before->second;
        free_.erase(before);
      }
    }
    if (after != free_.end() && begin + size == after->first) {
      size += after->second;
      free_.erase(after);
    }
    free_.emplace(begin, size);
  }

  void* true_address(const void* address) const {
    return true_ + (static_cast<const char*>(address) - shown_);
  }

  int64_t allocated() const { return locked(allocated_); }
  int64_t peak() const { return locked(peak_); }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    peak_ = allocated_;
  }
  void set_limit(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    limit_ = bytes;
  }

 private:
  static constexpr size_t kSize = size_t{8} << 30U;  // pages come when they are written to
  static constexpr size_t kAlignment = 64;

  Memory() {
    const int file = ::memfd_create("simulated_device", 0);
    TORCH_CHECK(file >= 0 && ::ftruncate(file, kSize) == 0, "no memory for the simulated device");
    shown_ = map(file, PROT_NONE);
    true_ = map(file, PROT_READ | PROT_WRITE);
    ::close(file);
    free_.emplace(0, kSize);
  }

  static char* map(int file, int protection) {
    void* const address = ::mmap(nullptr, kSize, protection, MAP_SHARED | MAP_NORESERVE, file, 0);
    TORCH_CHECK(address != MAP_FAILED, "no memory for the simulated device");
    return static_cast<char*>(address);
  }

  int64_t locked(const int64_t& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }

  char* shown_ = nullptr;
  char* true_ = nullptr;
  mutable std::mutex mutex_;
  std::map<size_t, size_t> free_;   ///< begin -> length
  std::map<size_t, size_t> sizes_;  ///< likewise, of what is taken
  int64_t allocated_ = 0;
  int64_t peak_ = 0;
  int64_t limit_ = 0;
};

// Before 2.3 an allocator's function was const.
#if TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 3
#define KANDINSKY_ALLOCATE_CONST const
#else
#define KANDINSKY_ALLOCATE_CONST
#endif

struct Allocator : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) KANDINSKY_ALLOCATE_CONST override {
    void* const data = bytes == 0 ? nullptr : Memory::get().take(bytes);
    return {data, data, &give_back, kDevice};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* to, const void* from, size_t bytes) const {
    std::memcpy(Memory::get().true_address(to), Memory::get().true_address(from), bytes);
  }
  static void give_back(void* data) {
    if (data != nullptr) Memory::get().give_back(data);
  }
} allocator;

/// One device and one stream.
struct Guard : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device) const override { return kDevice; }
  c10::Device getDevice() const override { return kDevice; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const noexcept override { return stream(); }
  c10::Stream exchangeStream(c10::Stream) const noexcept override { return stream(); }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }

  static c10::Stream stream() { return c10::Stream(c10::Stream::DEFAULT, kDevice); }
};

/// Without `override`: the interface grows from one torch to the next.
struct Hooks : at::PrivateUse1HooksInterface {
  bool isBuilt() const { return true; }
  bool isAvailable() const { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const { return true; }
  c10::DeviceIndex deviceCount() const { return 1; }
} hooks;

std::atomic<int64_t> copies_to_device = 0;
std::atomic<int64_t> copies_to_host = 0;

/// While an operator is computed on the CPU, what is copied for that counts for nothing.
thread_local bool is_falling_back = false;

struct FallbackScope {
  bool outer = is_falling_back;
  FallbackScope() { is_falling_back = true; }
  ~FallbackScope() { is_falling_back = outer; }
};

void check_type(c10::ScalarType type) {
  TORCH_CHECK_TYPE(type != at::kDouble, "the simulated device has no float64");
}

void check_device(const at::Tensor& tensor, const c10::OperatorHandle& op) {
  // A number as a tensor is taken, as GPUs do.
  if (is_falling_back || !tensor.defined() || tensor.device() == kDevice || tensor.dim() == 0)
    return;
  TORCH_CHECK(false, op.schema().operator_name(), ": a tensor on ", tensor.device(),
              " among those on ", kDevice);
}

void fall_back(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  for (const c10::IValue& argument : torch::jit::last(*stack, op.schema().arguments().size())) {
    if (argument.isTensor()) {
      check_device(argument.toTensor(), op);
    } else if (argument.isTensorList()) {
      for (const at::Tensor& tensor : argument.toTensorVector()) check_device(tensor, op);
    } else if (argument.isOptionalTensorList()) {
      for (const Optional<at::Tensor>& tensor : argument.toOptionalTensorVector())
        if (tensor) check_device(*tensor, op);
    }
  }
  const FallbackScope scope;
  at::native::cpu_fallback(op, stack);
}

/// A CPU tensor over a device tensor's memory.
at::Tensor in_truth(const at::Tensor& tensor) {
  if (tensor.device().type() != kType) return tensor;
  void* const data = tensor.numel() == 0 ? nullptr : Memory::get().true_address(tensor.data_ptr());
  return at::from_blob(data, tensor.sizes(), tensor.strides(),
                       at::TensorOptions().dtype(tensor.scalar_type()).device(at::kCPU));
}

at::Tensor empty(at::IntArrayRef size, Optional<at::ScalarType> dtype, Optional<at::Layout>,
                 Optional<at::Device>, Optional<bool>, Optional<at::MemoryFormat> format) {
  check_type(dtype.value_or(at::kFloat));
  return at::detail::empty_generic(size, &allocator,
                                   c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   dtype.value_or(at::kFloat), format);
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride,
                         Optional<at::ScalarType> dtype, Optional<at::Layout>, Optional<at::Device>,
                         Optional<bool>) {
  check_type(dtype.value_or(at::kFloat));
  return at::detail::empty_strided_generic(size, stride, &allocator,
                                           c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                           dtype.value_or(at::kFloat));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool) {
  if (!is_falling_back) {
    copies_to_device += from.device() != kDevice ? 1 : 0;
    copies_to_host += to.device() != kDevice ? 1 : 0;
  }
  in_truth(to).copy_(in_truth(from));
  return to;
}

/// Without what it held: operators that resize write all of it.
const at::Tensor& resize(const at::Tensor& tensor, at::IntArrayRef size,
                         Optional<at::MemoryFormat>) {
  const auto bytes = static_cast<size_t>(c10::multiply_integers(size)) * tensor.itemsize();
  c10::StorageImpl* const storage = tensor.storage().unsafeGetStorageImpl();
  if (storage->nbytes() < bytes) {
    storage->set_data_ptr_noswap(allocator.allocate(bytes));
    storage->set_nbytes(bytes);
  }
  tensor.unsafeGetTensorImpl()->set_sizes_contiguous(size);
  return tensor;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  if (from.sizes() != to.sizes()) resize(to, from.sizes(), {});
  return copy_from(from, to, false);
}

at::Scalar local_scalar_dense(const at::Tensor& tensor) {
  copies_to_host += is_falling_back ? 0 : 1;
  return in_truth(tensor).item();
}

/// Which the CPU has no kernel of that name for.
at::Tensor convolution(const at::Tensor& input, const at::Tensor& weight,
                       const Optional<at::Tensor>& bias, at::IntArrayRef stride,
                       at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed,
                       at::IntArrayRef output_padding, int64_t groups) {
  const auto is_here = [](const at::Tensor& tensor) { return tensor.device() == kDevice; };
  const bool has_bias = bias && bias->defined();
  TORCH_CHECK(is_here(input) && is_here(weight) && (!has_bias || is_here(*bias)),
              "convolution: tensors on several devices");
  const FallbackScope scope;
  return at::convolution(in_truth(input), in_truth(weight),
                         has_bias ? Optional<at::Tensor>(in_truth(*bias)) : Optional<at::Tensor>(),
                         stride, padding, dilation, transposed, output_padding, groups)
      .to(kDevice);
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&fall_back>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("_copy_from", &copy_from);
  library.impl("_copy_from_and_resize", &copy_from_and_resize);
  library.impl("resize_", &resize);
  library.impl("_local_scalar_dense", &local_scalar_dense);
  // What stands in for a missing kernel takes no maps in channels-last order.
  library.impl("native_group_norm", torch::CppFunction::makeFromBoxedFunction<&fall_back>());
  library.impl("convolution_overrideable", &convolution);
  library.impl("as_strided", &at::native::as_strided_tensorimpl);
  library.impl("view", &at::native::view);
  library.impl("_reshape_alias", &at::native::_reshape_alias);
}

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

}  // namespace

void install() {
  static const bool once = [] {
    c10::register_privateuse1_backend("simulated");
    c10::SetAllocator(kType, &allocator);
    at::RegisterPrivateUse1HooksInterface(&hooks);
    return true;
  }();
  (void)once;
}

Copies copies() { return {.to_device = copies_to_device, .to_host = copies_to_host}; }

void reset_copies() {
  copies_to_device = 0;
  copies_to_host = 0;
}

int64_t allocated_bytes() { return Memory::get().allocated(); }
int64_t peak_bytes() { return Memory::get().peak(); }
void reset_peak() { Memory::get().reset_peak(); }
void set_limit(int64_t bytes) { Memory::get().set_limit(bytes); }

}  // namespace kandinsky::test::simulated_device
