// gpu::launch of the emulator: the kernel has run when it returns.
#pragma once

#include <cstddef>

#include "kernels/cuda/runtime.h"
#include "tests/emulation/machine.h"

namespace lookalike::gpu {

struct Shape {
  dim3 grid, block;
  std::size_t shared_bytes = 0;
  Stream stream = nullptr;
};

template <class... Parameters, class... Arguments>
void launch(const char* name, const Shape& shape, void (*kernel)(Parameters...), Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  auto body = [&] { kernel(static_cast<Parameters>(arguments)...); };
  try {
    emu::run_grid(
        shape.grid, shape.block, shape.shared_bytes, [](void* c) { (*static_cast<decltype(body)*>(c))(); },
        &body);
  } catch (const emu::Error& error) {
    throw emu::Error(std::string(name) + ": " + error.what());
  }
}

}  // namespace lookalike::gpu
