// One call of the CPU kernels with fresh scratch and guarded results, for tests.
#pragma once

#include <array>
#include <vector>

#include "kernels/cpu/autoencoder.h"
#include "tests/support/compare.h"

namespace lookalike::test {

class Kernels {
 public:
  explicit Kernels(std::span<const float> parameters)
      : packed_(cpu::make_packed_parameters()), workspace_(cpu::make_workspace()) {
    cpu::pack(parameters.first<kParameterCount>(), *packed_);
  }

  std::vector<float> encode(const std::vector<uint8_t>& image) {
    Guarded<float> code(kCodeLength);
    cpu::encode_image(*packed_, image.data(), *workspace_, code.data());
    EXPECT_TRUE(code.intact()) << "encode_image";
    return code.copy();
  }

  std::vector<uint8_t> decode(const std::vector<float>& code) {
    Guarded<uint8_t> image(kImageBytes);
    cpu::decode_code(*packed_, code.data(), *workspace_, image.data());
    EXPECT_TRUE(image.intact()) << "decode_code";
    return image.copy();
  }

  double loss(const std::vector<uint8_t>& image) {
    return cpu::image_loss(*packed_, image.data(), *workspace_);
  }

  // Loss and gradient.
  double gradient(const std::vector<uint8_t>& image, float scale, std::vector<float>& result) {
    Guarded<float> buffer(kParameterCount);
    const double loss = cpu::image_gradient(*packed_, image.data(), scale, *workspace_, buffer.data());
    EXPECT_TRUE(buffer.intact()) << "image_gradient";
    result = buffer.copy();
    return loss;
  }

  // Outputs of the six inner stages, then the probabilities.
  std::array<std::vector<float>, kStageCount> activations(const std::vector<uint8_t>& image) {
    std::vector<Guarded<float>> buffers;
    for (const Stage& stage : kStages) {
      const int size = stage.tail == Tail::kUpsample ? stage.grid : stage.output_size();
      buffers.emplace_back(int64_t{size} * size * stage.out_channels);
    }
    cpu::image_activations(*packed_, image.data(), *workspace_,
                           {buffers[0].data(), buffers[1].data(), buffers[2].data(), buffers[3].data(),
                            buffers[4].data(), buffers[5].data(), buffers[6].data()});
    std::array<std::vector<float>, kStageCount> result;
    for (std::size_t s = 0; s < buffers.size(); ++s) {
      EXPECT_TRUE(buffers[s].intact()) << "image_activations, " << kStages[s].name;
      result[s] = buffers[s].copy();
    }
    return result;
  }

 private:
  cpu::PackedPointer packed_;
  cpu::WorkspacePointer workspace_;
};

}  // namespace lookalike::test
