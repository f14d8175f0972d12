// How well a catalog's codes agree with its labels, beside what costs nothing to make.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/label_measures.h"
#include "host/catalog.h"

namespace lookalike {

// One way to compare items.
struct JudgedCodes {
  std::string name;     // "plain codes", "shrunken pixels", ...
  int64_t numbers = 0;  // of each item; 0: chance
  LabelMeasures all;
  std::vector<LabelMeasures> by_label;  // as Evaluation::labels; empty for chance
};

struct JudgedLabel {
  std::string label;
  int64_t items = 0;  // judged
};

struct Evaluation {
  int64_t rows = 0;        // of the catalog
  int64_t unlabelled = 0;  // of these, left out
  int64_t judged = 0;      // all others, or an even sample of them
  int64_t alone = 0;  // judged that are the only ones judged of their label: in others' rankings, no queries
  std::vector<JudgedLabel> labels;   // the largest first, then by name; those alone are not among them
  std::vector<JudgedCodes> codes;    // chance is the last
  std::vector<std::string> missing;  // what could not be judged, a line each with its reason
};

struct EvaluationWork {
  int64_t items =
      5000;  // judged at most, each compared with all others of them; 4 D bytes each, 16 KB of pictures
};

// Called now and then with what is done of what; throws to stop.
using EvaluationProgress = std::function<void(const char* task, int64_t done, int64_t of)>;

// `device` must hold the catalog's model and holds it again afterwards. Compact codes are judged where the
// catalog has them; pixels and an untrained encoder on the catalog's pictures, where it has all of them.
// Throws E_NO_INPUT where no two items share a label.
Evaluation evaluate(Device& device, const CatalogReader& catalog, const EvaluationWork& work,
                    const EvaluationProgress& progress);

}  // namespace lookalike
