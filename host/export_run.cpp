#include "host/export_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <optional>
#include <span>

#include "engine/error.h"
#include "host/bytes_text.h"
#include "host/catalog_checks.h"
#include "host/csv.h"
#include "host/files.h"
#include "host/interrupt.h"
#include "host/npy.h"
#include "host/result_output.h"
#include "host/shell_word.h"

namespace lookalike {
namespace {

// Numbers of codes at one time: 4 MB.
constexpr int64_t kBlockNumbers = int64_t{1} << 20;

using Text = fmt::memory_buffer;

std::string_view bytes_of(const void* data, std::size_t size) {
  return {static_cast<const char*>(data), size};
}

// "name" as an SQL identifier.
std::string quoted_name(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

// A field of COPY's text format.
std::string copy_field(const std::string& bytes) {
  std::string field;
  for (const char c : bytes_to_text(bytes)) {
    switch (c) {
      case '\\':
        field += "\\\\";
        break;
      case '\n':
        field += "\\n";
        break;
      case '\r':
        field += "\\r";
        break;
      case '\t':
        field += "\\t";
        break;
      default:
        field += c;
    }
  }
  return field;
}

std::string head(const CatalogReader& catalog, ExportFormat format, const std::string& table) {
  const int64_t d = catalog.dimension();
  if (format == ExportFormat::kNpy) return npy_header(catalog.rows(), d);
  if (format == ExportFormat::kCsv) {
    Text text;
    fmt::format_to(std::back_inserter(text), "id,label");
    for (int64_t i = 0; i < d; ++i) fmt::format_to(std::back_inserter(text), ",{}", i);
    text.push_back('\n');
    return fmt::to_string(text);
  }
  if (format != ExportFormat::kPgvector) return {};
  if (d > kMostVectorNumbers) {
    throw usage_error(
        fmt::format("codes of {} numbers are more than the {} of a pgvector column, export compact "
                    "ones with --codes compact",
                    d, kMostVectorNumbers));
  }
  const std::string name = quoted_name(table);
  std::string text = "SET client_encoding = 'UTF8';\nCREATE EXTENSION IF NOT EXISTS vector;\nBEGIN;\n";
  text += fmt::format(
      "CREATE TABLE {} (position bigint PRIMARY KEY, id text NOT NULL, label text NOT NULL, code "
      "vector({}) NOT NULL);\n",
      name, d);
  return text + fmt::format("COPY {} (position, id, label, code) FROM stdin;\n", name);
}

std::string tail(const CatalogReader& catalog, ExportFormat format, const std::string& table) {
  if (format != ExportFormat::kPgvector) return {};
  const std::string name = quoted_name(table);
  std::string text = "\\.\nCOMMIT;\n";
  if (catalog.dimension() > kMostIndexedNumbers) {
    return text + fmt::format(
                      "-- pgvector builds no index of more than {} numbers: searches read the whole table.\n",
                      kMostIndexedNumbers);
  }
  return text + fmt::format(
                    "-- An index makes searches fast and no longer exact:\n"
                    "-- CREATE INDEX ON {} USING hnsw (code vector_l2_ops);\n",
                    name);
}

void add_row(const CatalogItem& item, std::span<const float> code, ExportFormat format, Text& text) {
  const auto out = std::back_inserter(text);
  const std::string_view bytes = bytes_of(code.data(), code.size_bytes());
  const auto length = static_cast<int32_t>(code.size());
  switch (format) {
    case ExportFormat::kNpy:
      text.append(bytes);
      break;
    case ExportFormat::kFvecs:
      text.append(bytes_of(&length, sizeof length));
      text.append(bytes);
      break;
    case ExportFormat::kCsv:
      fmt::format_to(out, "{},{}", quoted_csv_field(item.id), quoted_csv_field(item.label));
      for (const float value : code) fmt::format_to(out, ",{}", value);
      text.push_back('\n');
      break;
    case ExportFormat::kPgvector:
      fmt::format_to(out, "{}\t{}\t{}\t[{}]\n", item.row, copy_field(item.id), copy_field(item.label),
                     fmt::join(code, ","));
      break;
  }
}

void write_ids(const CatalogReader& catalog, const std::string& path, ResultOutput& file) {
  catalog.for_each_item([&](const CatalogItem& item) {
    if (item.id.find_first_of("\r\n") != std::string::npos) {
      throw usage_error(fmt::format(
          "the id {} holds a line end, so {} cannot have an id a line, take --format csv", item.id, path));
    }
    file.write(item.id + '\n');
  });
}

bool same_file(const std::string& a, const std::string& b) {
  std::error_code none;
  return a == b || std::filesystem::weakly_canonical(a, none) == std::filesystem::weakly_canonical(b, none);
}

// Two files cannot change places at once. Cut off between them, a run leaves codes without ids, old or new,
// which import-codes and people notice; never codes beside ids of others.
void remove_ids(const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return;
    throw file_error("replace", path, errno);
  }
  flush_folder(folder_of(path));
}

// A name of one table, as it stands in the file: a control character could leave its comment.
void check_table(const std::string& table) {
  const bool plain = std::ranges::none_of(table, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (plain && bytes_to_text(table) == table) return;
  throw usage_error("--table is '" + table + "', take a name of UTF-8 text without control characters");
}

}  // namespace

ExportFormat export_format(const std::string& name, const std::string& output) {
  std::string known = name;
  if (known.empty()) {
    const std::size_t dot = output.rfind('.');
    known = dot == std::string::npos ? "" : output.substr(dot + 1);
    if (known == "sql") known = "pgvector";
  }
  if (known == "npy") return ExportFormat::kNpy;
  if (known == "fvecs") return ExportFormat::kFvecs;
  if (known == "csv") return ExportFormat::kCsv;
  if (known == "pgvector" && (!name.empty() || output.ends_with(".sql"))) return ExportFormat::kPgvector;
  throw usage_error(
      fmt::format("--output is '{}', take a name ending in .npy, .fvecs, .csv or .sql, or say the "
                  "format with --format npy, fvecs, csv or pgvector",
                  output));
}

bool write_export(const CatalogReader& catalog, ExportFormat format, const std::string& table,
                  const std::function<void(std::string_view bytes)>& write,
                  const std::function<bool(int64_t rows)>& report) {
  const int64_t d = catalog.dimension();
  if (const std::string text = head(catalog, format, table); !text.empty()) write(text);
  const bool with_items = format == ExportFormat::kCsv || format == ExportFormat::kPgvector;
  bool stopped = false;
  catalog.for_each_block(
      std::max<int64_t>(1, kBlockNumbers / d), [&](int64_t first, std::span<const float> codes) {
        if (stopped || (stopped = !report(first))) return;
        Text text;
        for (int64_t i = 0; i < std::ssize(codes) / d; ++i) {
          const CatalogItem item = with_items ? catalog.item(first + i) : CatalogItem();
          add_row(item, codes.subspan(static_cast<std::size_t>(i * d), static_cast<std::size_t>(d)), format,
                  text);
        }
        write(std::string_view(text.data(), text.size()));
      });
  if (stopped) return false;
  if (const std::string text = tail(catalog, format, table); !text.empty()) write(text);
  return true;
}

int run_export(const ExportCommandOptions& options) {
  watch_signals();
  const ExportFormat format = export_format(options.format, options.output);
  const CatalogReader catalog(options.catalog, options.codes);
  const int64_t rows = catalog.rows();
  require_items(catalog);
  check_table(options.table);
  const bool text = format == ExportFormat::kCsv || format == ExportFormat::kPgvector;
  if (options.output == "-" && !text && isatty(STDOUT_FILENO) != 0) {
    throw usage_error(
        "--output is '-', which is a terminal, and the format is no text: redirect it, or name a "
        "file with -o FILE");
  }
  if (options.ids == "-" || (!options.ids.empty() && same_file(options.ids, options.output))) {
    throw usage_error("--ids is '" + options.ids + "', take a file of its own");
  }
  // Both before the work, and both published at its end; see remove_ids.
  ResultOutput output(options.output);
  std::optional<ResultOutput> ids;
  if (!options.ids.empty()) ids.emplace(options.ids);
  Progress progress(options.talk, "export", rows);
  progress.set_unit("codes");
  if (const std::string warning = unfinished_warning(catalog, "written"); !warning.empty()) {
    progress.message(warning);
  }
  if (ids) {
    write_ids(catalog, options.ids, *ids);
    if (!output.is_file()) remove_ids(options.ids);  // a pipe has codes at once
  }
  const bool whole = write_export(
      catalog, format, options.table, [&](std::string_view bytes) { output.write(bytes); },
      [&](int64_t done) {
        progress.update(done, "");
        return stop_signal() == 0;
      });
  if (!whole) {
    progress.message(output.stopped_text(stop_signal()));
    throw Interrupted(stop_signal());
  }
  if (ids && output.is_file()) {
    output.flush();
    ids->flush();
    remove_ids(options.ids);
  }
  output.commit();
  if (ids) ids->commit();
  if (format == ExportFormat::kPgvector && catalog.dimension() > kMostIndexedNumbers) {
    progress.message(
        fmt::format("pgvector builds no index of more than {} numbers, --codes compact has fewer",
                    format_count(kMostIndexedNumbers)));
  }
  progress.message(counted(rows, "code") + " of " + counted(catalog.dimension(), "number"));
  if (output.is_file()) progress.message("export: " + options.output);
  if (output.is_file() && format == ExportFormat::kPgvector) {
    progress.message("next: psql -v ON_ERROR_STOP=1 -f " + shell_path(options.output));
  }
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace lookalike
