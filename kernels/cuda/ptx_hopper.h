// One function for each PTX instruction of sm_90 that kernels use: mbarriers and the copy engine.
#pragma once

#include <cstdint>

#include "kernels/cuda/ptx.h"
#include "kernels/cuda/tensor_map.h"

namespace lookalike::gpu {

// A barrier whose phase ends after `count` arrivals and all the bytes that were announced.
GPU_DEVICE void mbarrier_init(std::uint64_t* bar, unsigned count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(bar)), "r"(count) : "memory");
}
GPU_DEVICE void mbarrier_arrive(std::uint64_t* bar) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(bar)) : "memory");
}
// Arrives and announces bytes that the copy engine will bring.
GPU_DEVICE void mbarrier_arrive_expect(std::uint64_t* bar, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(bar)), "r"(bytes)
               : "memory");
}
// Returns when the phase of this parity (the first is 0) has ended.
GPU_DEVICE void mbarrier_wait(std::uint64_t* bar, unsigned parity) {
  asm volatile(
      "{\n.reg .pred p;\nAGAIN:\nmbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n@p bra DONE;\n"
      "bra AGAIN;\nDONE:\n}" ::"r"(shared_address(bar)),
      "r"(parity)
      : "memory");
}
// What this thread wrote to shared memory comes before what the copy engine does next.
GPU_DEVICE void fence_async_proxy() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// bytes and both addresses are multiples of 16; `bar` is told when they have come.
GPU_DEVICE void bulk_load(void* shared, const void* global, unsigned bytes, std::uint64_t* bar) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
          shared_address(shared)),
      "l"(global), "r"(bytes), "r"(shared_address(bar))
      : "memory");
}
// The box at (z, y, x) of the tensor; `shared` is 128-byte aligned. The map is a __grid_constant__ parameter.
GPU_DEVICE void tensor_load(void* shared, const TensorMap& map, int x, int y, int z, std::uint64_t* bar) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3,%4,%5}], "
      "[%2];" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(bar)), "r"(x), "r"(y), "r"(z)
      : "memory");
}

}  // namespace lookalike::gpu
