#include "host/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <new>
#include <opencv2/core/utility.hpp>
#include <sstream>
#include <system_error>

#include "engine/error.h"
#include "host/interrupt.h"
#include "host/progress.h"
#include "host/standard_output.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "Recommends products that look alike, from a shop's own photos.\n"
    "\n"
    "Examples:\n"
    "  lookalike train photos -o model                  learn the look of the photos\n"
    "  lookalike encode photos -m model -o catalog      turn each photo into a code\n"
    "  lookalike search photos/shirt.jpg -c catalog     find what looks like one photo\n"
    "  lookalike recommend -c catalog -o table.csv      every product's nearest others\n"
    "  lookalike report -c catalog -o report.html       a page to look through\n";

constexpr const char* kExitCodes =
    "Results go to standard output, everything else to standard error.\n"
    "Exit codes:\n"
    "  0  done\n"
    "  1  internal error: a bug of this program\n"
    "  2  bad command line or settings, or a device that is not there\n"
    "  3  no usable input\n"
    "  4  more photos refused than --max-bad\n"
    "  5  disk, permission or memory\n"
    "  6  a file of ours is damaged or not ours\n"
    "  7  numbers that are not finite\n"
    "  9  the output is in use by another run\n"
    "  128+n  stopped by signal n, after saving";

// Paragraphs in lines of at most `width`, broken between words; examples, which are indented, stay as they
// are.
std::string wrapped(const std::string& text, std::size_t width) {
  std::string result;
  std::size_t column = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == ' ') {
      result += (column > 0 ? "\n" : "") + line + '\n';
      column = 0;
      continue;
    }
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      const bool fits = column > 0 && column + 1 + word.size() <= width;
      if (column > 0) result += fits ? ' ' : '\n';
      result += word;
      column = fits ? column + 1 + word.size() : word.size();
    }
  }
  if (column > 0 && text.ends_with('\n')) result += '\n';
  return result;
}

// Lists a command by the first line of its description; the rest are its examples.
class Help : public CLI::Formatter {
 public:
  Help() {
    column_width(kColumn);
    label("REQUIRED", "(required)");
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    return wrapped(CLI::Formatter::make_option_desc(option), kWidth - kColumn);
  }
  std::string make_description(const CLI::App* command) const override {
    return wrapped(CLI::Formatter::make_description(command), kWidth);
  }
  std::string make_subcommand(const CLI::App* command) const override {
    constexpr int kNames = 16;
    const std::string description = command->get_description();
    std::string first = wrapped(description.substr(0, description.find('\n')), kWidth - kNames);
    for (auto at = first.find('\n'); at != std::string::npos; at = first.find('\n', at + 1)) {
      first.insert(at + 1, kNames, ' ');
    }
    return fmt::format("  {:<14}{}\n", command->get_name(), first);
  }

 private:
  static constexpr std::size_t kWidth = 80, kColumn = 34;
};

int code_of(ExitCode code) { return static_cast<int>(code); }

int print_error(ExitCode code, const std::string& name, const std::string& message) {
  // Where standard error is closed or full nobody is left to tell; the exit code still does.
  std::fputs(fmt::format("lookalike: error[{}]: {}\n", name, printable(message)).c_str(), stderr);
  return code_of(code);
}

// --batch_size is what users of Python tools type.
std::string with_dashes(std::string argument) {
  if (argument.rfind("--", 0) != 0) return argument;
  for (auto c = argument.begin(); c != argument.end() && *c != '='; ++c) {
    if (*c == '_') *c = '-';
  }
  return argument;
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

// The nearest of `names` within two changes, or empty.
std::string nearest(const std::string& word, const std::vector<std::string>& names) {
  std::string best;
  std::size_t best_distance = 3;
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(word, name);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

// What was not understood, in one line.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  std::vector<std::string> unknown = command.remaining();
  if (unknown.empty()) unknown = app.remaining();
  std::string text = error.what();
  // What is unknown first: what is missing may be what was mistyped.
  const bool missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if ((missing || dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) && !unknown.empty()) {
    const std::string word = unknown.front().substr(0, unknown.front().find('='));
    std::vector<std::string> known;
    if (word.size() > 1 && word.front() == '-') {
      for (const CLI::Option* option : command.get_options()) {
        for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
      }
      text = "there is no flag " + word;
    } else if (chosen.empty()) {
      for (const CLI::App* other : app.get_subcommands(nullptr)) known.push_back(other->get_name());
      text = "there is no command '" + word + "'";
    } else {
      text = "'" + word + "' was not expected";
    }
    if (const std::string near = nearest(word, known); !near.empty()) text += ", did you mean " + near + "?";
  }
  const std::string topic = chosen.empty() ? "" : command.get_name() + " ";
  return fmt::format("{} (see: lookalike {}--help)", text, topic);
}

void flush_output() {
  std::cout.flush();
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout) return;
  throw system_error("standard output could not be written, look for a full disk or a closed pipe");
}

int parse_and_run(CLI::App& app, std::vector<std::string> arguments, const Run& run) {
  try {
    app.parse(arguments);
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked);
    flush_output();
    return code_of(ExitCode::kDone);
  } catch (const CLI::ParseError& error) {
    throw usage_error(explain(app, error));
  }
  if (!run) {
    app.footer("More: lookalike --help, lookalike train --help");
    std::cerr << app.help();
    return code_of(ExitCode::kUsage);
  }
  const int code = run();
  flush_output();
  return code;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  try {
    keep_standard_descriptors();
    let_writes_fail();
    cv::setNumThreads(1);  // the threads are ours: one photo each
    CLI::App app(kDescription, "lookalike");
    app.formatter(std::make_shared<Help>());
    app.set_version_flag("--version", "lookalike " LOOKALIKE_VERSION, "Print the version");
    Run run;
    add_train_command(app, run);
    add_encode_command(app, run);
    add_compact_command(app, run);
    add_index_command(app, run);
    add_search_command(app, run);
    add_recommend_command(app, run);
    add_report_command(app, run);
    add_duplicates_command(app, run);
    add_evaluate_command(app, run);
    add_export_command(app, run);
    add_import_codes_command(app, run);
    add_refusals_command(app, run);
    add_verify_command(app, run);
    add_doctor_command(app, run);
    add_bench_command(app, run);
    app.footer(kExitCodes);

    std::vector<std::string> arguments;  // last first, as CLI11 takes them
    bool flags = true;                   // until --
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      flags = flags && argument != "--";
      arguments.push_back(flags ? with_dashes(argument) : argument);
    }
    if (!arguments.empty() && arguments.front() == "help") {  // help COMMAND is COMMAND --help
      arguments.erase(arguments.begin());
      arguments.emplace_back("--help");
    }
    std::ranges::reverse(arguments);
    return parse_and_run(app, std::move(arguments), run);
  } catch (const Error& error) {
    return print_error(error.code(), error.name(), error.what());
  } catch (const Interrupted& stop) {
    return code_of(ExitCode::kSignal) + stop.signal();
  } catch (const std::bad_alloc&) {
    return print_error(ExitCode::kSystem, "E_SYSTEM",
                       "out of memory, give the program more or ask it for less");
  } catch (const std::system_error& error) {  // a name too long, a folder that fails, no thread to be had
    return print_error(
        ExitCode::kSystem, "E_SYSTEM",
        fmt::format("{}, look at the path, the disk and the limits of the process", error.what()));
  } catch (const std::exception& error) {
    return print_error(ExitCode::kInternal, "E_INTERNAL", error.what());
  }
}

}  // namespace lookalike
