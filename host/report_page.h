// A report as one HTML file: the page of host/report/ with the data inside. It asks nothing of a network: its
// content security policy allows its own style and script by hash, pictures inside the file, and no more.
//
// Data are JSON in ASCII without < > &, so that no name can end the element that holds them; the page puts
// names into the document as text alone. Ids are as bytes_text.h has them.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "host/report_data.h"

namespace lookalike {

// The page's parts, from host/report/; the data come between them.
extern const std::string_view kReportHead, kReportTail;

inline constexpr int64_t kReportBytes = 50'000'000;

struct ReportFit {
  bool halved = false;   // pictures of 75 x 75 in place of 150 x 150
  bool thinned = false;  // fewer items than were collected
  int64_t limit = 0;     // bytes of the page
};

// Halves the items' pictures, then drops items, until what is in the page fits `limit` bytes. Before
// add_pairs, for which it leaves room.
ReportFit fit_report(ReportData& data, int64_t limit);

struct ReportSize {
  int64_t bytes = 0;
  int64_t others_without_picture = 0;
};

// thumbnail(row): JPEG. Others get pictures of 75 x 75 as long as there is room: the nearest of each item
// first. The same data give the same bytes.
ReportSize write_report(const ReportData& data, const ReportFit& fit,
                        const std::function<std::vector<uint8_t>(int64_t row)>& thumbnail,
                        const std::function<void(std::string_view text)>& write);

}  // namespace lookalike
