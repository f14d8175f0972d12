// Inside host/photo: how a photo of any size becomes 150x150.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>

#include "host/photo.h"

namespace lookalike {

// The part of a photo that is seen: all of it, or for crop the centre square.
cv::Rect seen_part(int width, int height, Fit fit);

// Where in 150x150 that part comes to lie: all of it, or for pad a centred box of the photo's shape, its
// longer side 150, the shorter one rounded to the nearest pixel.
cv::Rect placed_box(int width, int height, Fit fit);

// Largest of 1, 2, 4, 8 by which a photo may be reduced without its seen part becoming smaller than the box.
int reduction(int width, int height, Fit fit);

// bgr (CV_8UC3): an upright photo of full size (width, height), itself perhaps reduced. pixels
// (150, 150, 3), overwritten. Areas are averaged where neither side grows, else bilinear.
void fit_photo(const cv::Mat& bgr, int width, int height, const PhotoRule& rule, uint8_t* pixels);

}  // namespace lookalike
