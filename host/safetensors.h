// safetensors files of float32 tensors, read strictly and written atomically.
//
// Format: u64 little-endian header length; JSON object {"name": {"dtype": "F32", "shape": [..],
// "data_offsets": [begin, end]}, "__metadata__": {string: string}} padded with spaces to 8 bytes; data,
// without holes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lookalike {

struct Tensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

struct TensorFile {
  std::map<std::string, std::string> metadata;
  std::map<std::string, Tensor> tensors;
};

// Adds metadata "checksum" (one that is there is replaced): XXH3-128 of the whole file with that value's 32
// digits zeroed. Throws E_NON_FINITE naming the tensor, E_USAGE for metadata that is not UTF-8, E_SYSTEM.
void write_tensor_file(const std::string& path, const TensorFile& file);

// Throws E_DAMAGED (what, where: byte offset or tensor; what to do) for anything but a whole, well-formed
// file of F32 tensors that tile the data; a "checksum", where there is one, must hold and stays in the
// metadata. Header at most 1 MiB.
TensorFile read_tensor_file(const std::string& path);

}  // namespace lookalike
