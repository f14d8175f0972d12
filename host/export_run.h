// `lookalike export`: a catalog's codes for other programs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "host/catalog.h"
#include "host/progress.h"

namespace lookalike {

//   kNpy       .npy 1.0, (rows, D) <f4
//   kFvecs     for each row int32 D, then D float32, little-endian
//   kCsv       a header id,label,0,1,..., then a row each; numbers in the shortest digits that read back as
//   the
//              same float
//   kPgvector  SQL for psql: CREATE EXTENSION, CREATE TABLE with id, label and a vector(D), COPY with the
//   rows
enum class ExportFormat { kNpy, kFvecs, kCsv, kPgvector };

struct ExportCommandOptions {
  std::string catalog;  // folder
  std::string output;   // file, or "-" for standard output
  std::string format;   // npy, fvecs, csv or pgvector; empty: by the output's ending, .sql is pgvector
  std::string ids;      // file that the ids are written to, one a line; empty: none
  std::string table = "lookalike";  // of kPgvector
  CodeKind codes = CodeKind::kPlain;
  Talk talk;
};

// Throws E_USAGE where neither says.
ExportFormat export_format(const std::string& name, const std::string& output);

// Rows in order, in pieces, to `write`; report (rows so far) returning false stops: false is then returned.
// Text that is not UTF-8 is written to SQL as bytes_text.h says, to CSV as it is. Throws E_USAGE for codes
// that a pgvector column cannot hold.
bool write_export(const CatalogReader& catalog, ExportFormat format, const std::string& table,
                  const std::function<void(std::string_view bytes)>& write,
                  const std::function<bool(int64_t rows)>& report);

// What pgvector holds, and what it builds an index of.
inline constexpr int64_t kMostVectorNumbers = 16'000;
inline constexpr int64_t kMostIndexedNumbers = 2'000;

// Returns the process's exit code. Throws Error; Interrupted once a stop was asked for, with the output as it
// was.
int run_export(const ExportCommandOptions& options);

}  // namespace lookalike
