// gpu::launch of the emulator: the kernel runs when its stream does.
#pragma once

#include <cstddef>
#include <string>

#include "kernels/cuda/runtime.h"
#include "tests/emulation/machine.h"
#include "tests/emulation/streams.h"

namespace lookalike::gpu {

struct Shape {
  dim3 grid, block;
  std::size_t shared_bytes = 0;
  Stream stream = nullptr;
};

template <class... Parameters, class... Arguments>
void launch(const char* name, const Shape& shape, void (*kernel)(Parameters...), Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  emu::enqueue(shape.stream, [=, name = std::string(name)] {
    auto body = [&] { kernel(static_cast<Parameters>(arguments)...); };
    try {
      emu::run_grid(
          shape.grid, shape.block, shape.shared_bytes, [](void* c) { (*static_cast<decltype(body)*>(c))(); },
          &body);
    } catch (const emu::Error& error) {
      throw emu::Error(name + ": " + error.what());
    }
  });
}

}  // namespace lookalike::gpu
