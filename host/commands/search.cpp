#include <memory>

#include "engine/error.h"
#include "host/command_line.h"
#include "host/commands/flags.h"
#include "host/commands/neighbour_flags.h"
#include "host/search_run.h"

namespace lookalike {
namespace {

constexpr const char* kDescription =
    "Find what looks like a photo or an item of a catalog\n"
    "\n"
    "Examples:\n"
    "  lookalike search shirts/blue.jpg -c catalog\n"
    "  lookalike search new.jpg other.png -c catalog -k 10 --picture result.png\n"
    "  lookalike search shirts/blue.jpg -c catalog --json | jq '.neighbours[0].id'\n"
    "  lookalike search shirts/blue.jpg -c catalog --within 3.5 --where \"label = 'dress' AND width > 300\"\n"
    "\n"
    "Each query is an id of the catalog or, where the catalog has no such id, a photo file. A file that the\n"
    "catalog was made from counts as its item. An item is left out of its own result.\n"
    "--json writes one object a line and query: query, id (null for a photo from outside), neighbours: "
    "rank,\n"
    "id, label, path, distance. Text that is not UTF-8 is written as hex: and the digits of its bytes.\n";

}  // namespace

void add_search_command(CLI::App& app, Run& run) {
  const auto typed = std::make_shared<SearchCommandOptions>();
  SearchCommandOptions& options = *typed;
  CLI::App* command = app.add_subcommand("search", kDescription);
  command->add_option("PHOTO_OR_ID", options.queries, "What to look for")->required()->option_text("...");
  add_catalog_flag(*command, options.catalog);
  const auto wish = std::make_shared<NeighbourFlags>();
  add_neighbour_flags(*command, *wish, 5, "a query");
  add_codes_flag(*command, options.codes);
  add_collapse_flag(*command, options.collapse);
  command->add_flag("--include-self", options.include_self, "Keep an item in its own result");
  command->add_flag("--json", options.json, "JSON lines in place of a table");
  command
      ->add_option("--picture", options.picture,
                   "PNG to write: each query, its reconstruction, its neighbours")
      ->check(not_empty)
      ->type_name("FILE");
  add_device_flags(*command, options.device, options.threads);
  command->add_flag("-q,--quiet", options.talk.quiet, "Say nothing but results and errors");
  command->callback([typed, wish, &run] {
    run = [typed, wish] {
      typed->wish = take_neighbour_flags(*wish);
      require_within("--threads", typed->threads, 0, kMaxThreads);
      if (!typed->picture.empty() && !typed->picture.ends_with(".png")) {
        throw usage_error("--picture is '" + typed->picture + "', take a name ending in .png");
      }
      return run_search(*typed);
    };
  });
}

}  // namespace lookalike
