// The autoencoder on the CPU, one image a call: forward, loss, gradient. Threads, batches and the sums over
// a batch are engine/cpu_device's.
//
// Instruction sets: every function dispatches at run time to the best that the processor has (Google
// Highway). On one instruction set the results are the same bytes in every call; between instruction sets
// they may differ in the last bits.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "kernels/topology.h"

namespace lookalike::cpu {

// Parameters in the order the kernels read them (1/255 folded into enc1, phase sums of the decoder).
class PackedParameters;

// Scratch of one thread: activations as split planes, about 3.5 MB.
class Workspace;

struct PackedDeleter {
  void operator()(PackedParameters* packed) const noexcept;
};
struct WorkspaceDeleter {
  void operator()(Workspace* workspace) const noexcept;
};
using PackedPointer = std::unique_ptr<PackedParameters, PackedDeleter>;
using WorkspacePointer = std::unique_ptr<Workspace, WorkspaceDeleter>;

PackedPointer make_packed_parameters();
WorkspacePointer make_workspace();

// parameters (kParameterCount), in topology.h's order; `packed` is overwritten.
void pack(std::span<const float, kParameterCount> parameters, PackedParameters& packed);

// image (150, 150, 3) bytes -> code (19, 19, 8), overwritten.
void encode_image(const PackedParameters& packed, const uint8_t* image, Workspace& workspace, float* code);

// code (19, 19, 8) -> image (150, 150, 3), overwritten: 255 p rounded to nearest.
void decode_code(const PackedParameters& packed, const float* code, Workspace& workspace, uint8_t* image);

// Sum over the image's 67,500 elements of the binary cross-entropy.
double image_loss(const PackedParameters& packed, const uint8_t* image, Workspace& workspace);

// As image_loss; gradient (kParameterCount) is overwritten with d(loss sum)/d(parameter) * scale. `scale` is
// 1 / (N 67500) for a batch of N, so that the batch's gradient is the plain sum of its images'.
double image_gradient(const PackedParameters& packed, const uint8_t* image, float scale, Workspace& workspace,
                      float* gradient);

// Float activations of one image, for tests: each pointer is null or (H, W, C) of the stage's output, before
// upsampling for dec1..dec3. They come from the kernels that image_gradient uses.
struct Activations {
  float* pool1 = nullptr;   // (76, 76, 16)
  float* pool2 = nullptr;   // (38, 38, 8)
  float* pool3 = nullptr;   // (19, 19, 8)
  float* dec1 = nullptr;    // (19, 19, 8)
  float* dec2 = nullptr;    // (38, 38, 8)
  float* dec3 = nullptr;    // (76, 76, 16)
  float* output = nullptr;  // (150, 150, 3), probabilities
};
void image_activations(const PackedParameters& packed, const uint8_t* image, Workspace& workspace,
                       const Activations& activations);

}  // namespace lookalike::cpu
