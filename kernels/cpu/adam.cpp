#include "kernels/cpu/adam.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lookalike::cpu {

void adam_step(const AdamOptions& options, int64_t step, std::span<const float> gradient,
               std::span<float> parameters, std::span<float> m, std::span<float> v) {
  // As Keras computes it, in float64 runs too: the rate and the betas whose powers correct the bias are
  // rounded to float32 first. 1 - 0.999 then differs by 1.3e-5 of its value, which ten steps show.
  const auto power = [step](double beta) {
    return std::pow(static_cast<double>(static_cast<float>(beta)), static_cast<double>(step));
  };
  const double rate = static_cast<double>(static_cast<float>(options.learning_rate)) *
                      std::sqrt(1.0 - power(options.beta_2)) / (1.0 - power(options.beta_1));
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double g = double{gradient[i]};
    m[i] = static_cast<float>(options.beta_1 * double{m[i]} + (1.0 - options.beta_1) * g);
    v[i] = static_cast<float>(options.beta_2 * double{v[i]} + (1.0 - options.beta_2) * g * g);
    parameters[i] -= static_cast<float>(rate * double{m[i]} / (std::sqrt(double{v[i]}) + options.epsilon));
  }
}

void sum_slots(std::span<const float> slots, std::span<float> sum) {
  std::fill(sum.begin(), sum.end(), 0.0F);
  for (std::size_t start = 0; start < slots.size(); start += sum.size())
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += slots[start + i];
}

}  // namespace lookalike::cpu
