#include "pipelines/families/families.h"

#include <array>

#include "pipelines/families/kandinsky_2_1/folders.h"
#include "pipelines/families/kandinsky_2_1/pipeline.h"

namespace kandinsky::pipelines {
namespace {

constexpr std::array kFamilies{
    Family{.name = "kandinsky-2-1",
           .role_of = kandinsky_2_1_role,
           .open = open_kandinsky_2_1,
           .check_component = check_kandinsky_2_1_component,
           .native_size = kandinsky_2_1_native_size},
};

}  // namespace

Span<const Family> families() { return kFamilies; }

const Family* find_family(const io::ModelDir& model) {
  for (const Family& family : kFamilies) {
    if (*family.role_of(model) != '\0') return &family;
  }
  return nullptr;
}

}  // namespace kandinsky::pipelines
