// Adam with Keras's epsilon:
//   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   p -= rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)
// Keras keeps the rate, and the betas that it raises to powers, in float32 whatever the precision of the
// variables. For b2 = 0.999 that changes 1 - b2^t by 1.3e-5 of itself, every step by 6e-6: far more than
// float32 arithmetic does, so it belongs to the definition.
#pragma once

#include <cmath>
#include <span>

#include "kernels/cpu/adam.h"

namespace lookalike::reference {

inline double rounded_to_float(double value) { return static_cast<double>(static_cast<float>(value)); }

// step t counts from 1; parameters, m and v are updated in place.
inline void adam_step(const AdamOptions& options, int64_t step, std::span<const double> gradient,
                      std::span<double> parameters, std::span<double> m, std::span<double> v) {
  const auto t = static_cast<double>(step);
  const double rate = rounded_to_float(options.learning_rate) *
                      std::sqrt(1.0 - std::pow(rounded_to_float(options.beta_2), t)) /
                      (1.0 - std::pow(rounded_to_float(options.beta_1), t));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    m[i] = options.beta_1 * m[i] + (1.0 - options.beta_1) * gradient[i];
    v[i] = options.beta_2 * v[i] + (1.0 - options.beta_2) * gradient[i] * gradient[i];
    parameters[i] -= rate * m[i] / (std::sqrt(v[i]) + options.epsilon);
  }
}

}  // namespace lookalike::reference
