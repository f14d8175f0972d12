// The passes that autoencoder.cpp composes, one dispatch each. All work on one image in one Workspace.
#pragma once

#include <cstdint>

#include "kernels/cpu/planes.h"

namespace lookalike::cpu {

// image (150, 150, 3) bytes -> workspace.encoder_in[0], 0 to 255.
void split_image(const uint8_t* image, Workspace& workspace);

// encoder_in[0] -> encoder_in[1], encoder_in[2], low[0] (the code).
void encode_planes(const PackedParameters& packed, Workspace& workspace);
// Also fills winners, encoder_pixels[1] and [2].
void encode_planes_for_gradient(const PackedParameters& packed, Workspace& workspace);

// low[0] -> low[1], low[2], low[3].
void decode_planes(const PackedParameters& packed, Workspace& workspace);

// dec4 of low[3], and what is asked of its logits z with the target y = encoder_in[0] / 255:
// probabilities sigmoid(z) -> output_gradient[3], cropped border included;
void output_probabilities(const PackedParameters& packed, Workspace& workspace);
// the sum of the binary cross-entropy, double;
double output_loss(const PackedParameters& packed, Workspace& workspace);
// the same sum, and scale dL/dz -> output_gradient[3], zero in the border and where p is clipped.
double output_gradient(const PackedParameters& packed, float scale, Workspace& workspace);

// output_gradient[3] -> gradient of dec4 to dec1 (overwritten at their offsets) and code_gradient.
void decoder_backward(const PackedParameters& packed, Workspace& workspace, float* gradient);

// code_gradient and winners -> gradient of enc3 to enc1.
void encoder_backward(const PackedParameters& packed, const uint8_t* image, Workspace& workspace,
                      float* gradient);

}  // namespace lookalike::cpu
