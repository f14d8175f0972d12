#include <cfloat>
#include <cmath>

#include "kernels/cuda/adam.h"
#include "kernels/cuda/gpu.h"

namespace lookalike::cuda {
namespace {

constexpr int kThreads = 128;

struct Factors {
  double rate, beta_1, rest_1, beta_2, rest_2, epsilon;
};

__global__ void __launch_bounds__(kThreads)
    adam_kernel(const Factors with, const AdamGuard guard, const AdamState state) {
  int forbidden = 0;
  for (std::int64_t i = threadIdx.x; i < guard.loss_count; i += kThreads)
    forbidden |= fabs(guard.losses[i]) <= DBL_MAX ? 0 : 1;
  for (int i = static_cast<int>(threadIdx.x); i < guard.flag_count; i += kThreads)
    forbidden |= guard.flags[i];
  if (__syncthreads_or(forbidden) != 0) return;
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= state.count) return;
  const double g = static_cast<double>(state.gradient[i]);
  const float m = __double2float_rn(
      __dadd_rn(__dmul_rn(with.beta_1, static_cast<double>(state.m[i])), __dmul_rn(with.rest_1, g)));
  const float v = __double2float_rn(__dadd_rn(__dmul_rn(with.beta_2, static_cast<double>(state.v[i])),
                                              __dmul_rn(__dmul_rn(with.rest_2, g), g)));
  state.m[i] = m;
  state.v[i] = v;
  const double change = __ddiv_rn(__dmul_rn(with.rate, static_cast<double>(m)),
                                  __dadd_rn(__dsqrt_rn(static_cast<double>(v)), with.epsilon));
  state.parameters[i] = __fsub_rn(state.parameters[i], __double2float_rn(change));
}

}  // namespace

void adam_step(const AdamOptions& options, std::int64_t step, const AdamGuard& guard, const AdamState& state,
               gpu::Stream stream) {
  if (state.count == 0) return;
  // Keras rounds the rate, and the betas that it raises to powers, to float32: kernels/cpu/adam.cpp.
  const auto rounded = [](double value) { return static_cast<double>(static_cast<float>(value)); };
  const auto power = [&](double beta) { return std::pow(rounded(beta), static_cast<double>(step)); };
  const Factors with = {
      rounded(options.learning_rate) * std::sqrt(1.0 - power(options.beta_2)) / (1.0 - power(options.beta_1)),
      options.beta_1,
      1.0 - options.beta_1,
      options.beta_2,
      1.0 - options.beta_2,
      options.epsilon};
  const auto blocks = static_cast<unsigned>(gpu::ceil_div(state.count, std::int64_t{kThreads}));
  gpu::launch("adam_step", {blocks, kThreads, 0, stream}, adam_kernel, with, guard, state);
}

}  // namespace lookalike::cuda
