// The result of a search as a picture: a row for each query with the query, its reconstruction, and its
// neighbours under their distances.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lookalike {

// One photo with what stands under it.
struct Tile {
  std::vector<uint8_t> pixels;  // (150, 150, 3), blue green red; empty: a grey box
  std::string caption;          // first line: "12.34", "query"
  std::string name;             // second line, shortened in the middle where it is too long
};

struct PictureRow {
  Tile query, reconstruction;
  std::vector<Tile> neighbours;
};

// Throws E_USAGE where search_picture would, for rows of so many neighbours.
void require_picture_fits(int64_t neighbours, int64_t rows);

// A PNG file's bytes. Throws E_USAGE where the picture would be larger than PNG viewers take (32,000 pixels a
// side or 250 million in all).
std::vector<uint8_t> search_picture(const std::vector<PictureRow>& rows);

}  // namespace lookalike
