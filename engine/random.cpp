#include "engine/random.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "kernels/topology.h"

namespace lookalike {
namespace {

// 64-bit draws from one stream, in order of its counter.
class Draws {
 public:
  Draws(uint64_t seed, Stream stream, uint32_t sub) : seed_(seed), stream_(stream), sub_(sub) {}

  uint64_t next() {
    if (used_ == 0) words_ = philox(seed_, stream_, sub_, index_++);
    const uint64_t value = words_[used_] | static_cast<uint64_t>(words_[used_ + 1]) << 32;
    used_ = (used_ + 2) % words_.size();
    return value;
  }

  // Uniform below `bound`: the first 2^64 mod bound values are drawn again, so that each remainder is as
  // likely.
  uint64_t below(uint64_t bound) {
    const uint64_t uneven = (0 - bound) % bound;
    uint64_t value = next();
    while (value < uneven) value = next();
    return value % bound;
  }

 private:
  uint64_t seed_;
  Stream stream_;
  uint32_t sub_;
  uint64_t index_ = 0;
  std::array<uint32_t, 4> words_{};
  std::size_t used_ = 0;
};

}  // namespace

std::array<uint32_t, 4> philox(uint64_t seed, Stream stream, uint32_t sub, uint64_t index) {
  constexpr int kRounds = 10;
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  std::array<uint32_t, 4> c = {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), sub,
                               static_cast<uint32_t>(stream)};
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t product0 = kMultiplier0 * c[0], product1 = kMultiplier1 * c[2];
    c = {static_cast<uint32_t>(product1 >> 32) ^ c[1] ^ key0, static_cast<uint32_t>(product1),
         static_cast<uint32_t>(product0 >> 32) ^ c[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return c;
}

std::vector<int64_t> shuffled(int64_t count, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  Draws draws(seed, Stream::kShuffle, static_cast<uint32_t>(epoch));
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[draws.below(left)]);
  }
  return order;
}

std::vector<float> initial_parameters(uint64_t seed) {
  std::vector<float> parameters(kParameterCount, 0.0F);
  for (int stage = 0; stage < kStageCount; ++stage) {
    const Stage& shape = kStages[static_cast<std::size_t>(stage)];
    const double limit = std::sqrt(6.0 / (kTaps * shape.in_channels + kTaps * shape.out_channels));
    float* kernel = parameters.data() + kernel_offset(stage);
    for (int i = 0; i < shape.kernel_count(); ++i) {
      const auto words =
          philox(seed, Stream::kWeights, static_cast<uint32_t>(stage), static_cast<uint64_t>(i / 4));
      const double unit = (words[static_cast<std::size_t>(i % 4)] + 0.5) * 0x1p-32;  // inside (0, 1)
      kernel[i] = static_cast<float>(limit * (2 * unit - 1));
    }
  }
  return parameters;
}

}  // namespace lookalike
