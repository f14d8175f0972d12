// Adam as Keras places epsilon:
//   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   p -= rate sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)
#pragma once

#include <cstdint>
#include <span>

namespace lookalike {

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-7;
};

namespace cpu {

// step t counts from 1. gradient, parameters, m, v have one length; the last three are updated in place.
void adam_step(const AdamOptions& options, int64_t step, std::span<const float> gradient,
               std::span<float> parameters, std::span<float> m, std::span<float> v);

// sum (P) = slots[0] + slots[1] + ... in this order; slots (N, P), sum overwritten.
void sum_slots(std::span<const float> slots, std::span<float> sum);

}  // namespace cpu
}  // namespace lookalike
