#include "kernels/cpu/autoencoder.h"

#include "kernels/cpu/passes.h"
#include "kernels/cpu/planes.h"

namespace lookalike::cpu {
namespace {

constexpr int64_t pixel_index(int y, int x, int size, int channels) {
  return (int64_t{y} * size + x) * channels;
}

// Plain or split planes -> (H, W, C).
void planes_to_pixels(const float* planes, const PlaneShape& shape, float* pixels) {
  for (int c = 0; c < shape.channels; ++c)
    for (int y = 0; y < shape.grid; ++y)
      for (int x = 0; x < shape.grid; ++x) {
        const int parity = shape.parities == 2 ? x % 2 : 0;
        pixels[pixel_index(y, x, shape.grid, shape.channels) + c] =
            planes[c * shape.channel_stride() + shape.row(y) + parity * shape.pitch() + x / shape.parities];
      }
}

// code (19, 19, 8) -> planes.
void code_to_planes(const float* code, float* planes) {
  for (int c = 0; c < kCodePlanes.channels; ++c)
    for (int y = 0; y < kCodeSize; ++y)
      for (int x = 0; x < kCodeSize; ++x)
        planes[c * kCodePlanes.channel_stride() + kCodePlanes.row(y) + x] =
            code[pixel_index(y, x, kCodeSize, kCodeChannels) + c];
}

// put(index of (y, x, k) in (150, 150, 3), probability), border cropped.
template <class Put>
void for_each_probability(const float* planes, const Put& put) {
  constexpr PlaneShape kShape = gradient_planes(6);
  for (int y = 0; y < kImageSize; ++y)
    for (int k = 0; k < kImageChannels; ++k) {
      const float* even = planes + k * kShape.channel_stride() + kShape.row(y + kBorder);
      const float* odd = even + kShape.pitch();
      const int64_t row = pixel_index(y, 0, kImageSize, kImageChannels) + k;
      // Grid column x + 1 is image column x.
      for (int j = 0; j < kImageSize / 2; ++j) {
        put(row + (2 * j) * kImageChannels, odd[j]);
        put(row + (2 * j + 1) * kImageChannels, even[j + 1]);
      }
    }
}

}  // namespace

void encode_image(const PackedParameters& packed, const uint8_t* image, Workspace& workspace, float* code) {
  split_image(image, workspace);
  encode_planes(packed, workspace);
  planes_to_pixels(workspace.low[0], kCodePlanes, code);
}

void decode_code(const PackedParameters& packed, const float* code, Workspace& workspace, uint8_t* image) {
  code_to_planes(code, workspace.low[0]);
  decode_planes(packed, workspace);
  output_probabilities(packed, workspace);
  for_each_probability(workspace.output_gradient[3],
                       [image](int64_t i, float p) { image[i] = static_cast<uint8_t>(255.0F * p + 0.5F); });
}

double image_loss(const PackedParameters& packed, const uint8_t* image, Workspace& workspace) {
  split_image(image, workspace);
  encode_planes(packed, workspace);
  decode_planes(packed, workspace);
  return output_loss(packed, workspace);
}

double image_gradient(const PackedParameters& packed, const uint8_t* image, float scale, Workspace& workspace,
                      float* gradient) {
  split_image(image, workspace);
  encode_planes_for_gradient(packed, workspace);
  decode_planes(packed, workspace);
  const double loss = output_gradient(packed, scale, workspace);
  decoder_backward(packed, workspace, gradient);
  encoder_backward(packed, image, workspace, gradient);
  return loss;
}

void image_activations(const PackedParameters& packed, const uint8_t* image, Workspace& workspace,
                       const Activations& activations) {
  split_image(image, workspace);
  encode_planes_for_gradient(packed, workspace);
  decode_planes(packed, workspace);
  const auto copy = [](const float* planes, const PlaneShape& shape, float* out) {
    if (out != nullptr) planes_to_pixels(planes, shape, out);
  };
  copy(workspace.encoder_in[1], encoder_planes(1), activations.pool1);
  copy(workspace.encoder_in[2], encoder_planes(2), activations.pool2);
  copy(workspace.low[0], low_planes(2), activations.pool3);
  copy(workspace.low[1], low_planes(3), activations.dec1);
  copy(workspace.low[2], low_planes(4), activations.dec2);
  copy(workspace.low[3], low_planes(5), activations.dec3);
  if (activations.output != nullptr) {
    output_probabilities(packed, workspace);
    float* out = activations.output;
    for_each_probability(workspace.output_gradient[3], [out](int64_t i, float p) { out[i] = p; });
  }
}

}  // namespace lookalike::cpu
