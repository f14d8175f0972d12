// All photos of a training, given to a device that has room for them.
#pragma once

#include "engine/train.h"
#include "host/progress.h"

namespace lookalike {

// Those to train on first. Says what came of it where the device has memory of its own; where they do not
// fit, they go to it batch by batch. Throws Interrupted, having said so, when a signal asks to stop.
HeldFrom hold_photos(Device& device, const ImageSource& training, const ImageSource& validation,
                     const Talk& talk);

}  // namespace lookalike
