#include "server/slot_routes.h"

#include "format/printable.h"
#include "server/api_error.h"
#include "server/json_fields.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <chrono>

namespace braid {
namespace {

using Json = Fields::Json;
using Shared = std::shared_ptr<Exchange>;
using Clock = std::chrono::steady_clock;

// How long a request of another key is, and how far, is nobody else's business.
Json slot_json(const SlotInfo& slot, int number, int realm, int64_t context) {
  Json json = {
      {"id", number}, {"n_ctx", context}, {"speculative", false}, {"is_processing", slot.id != 0}};
  if (slot.id == 0 || slot.realm != realm) return json;
  json["id_task"] = slot.id;
  json["n_prompt_tokens"] = slot.prompt;
  json["n_prompt_tokens_processed"] = slot.done - std::min(slot.done, slot.cached);
  json["n_prompt_tokens_cache"] = slot.cached;
  json["next_token"] = Json::array({{{"has_next_token", true},
                                     {"n_remain", slot.most - slot.answer},
                                     {"n_decoded", slot.answer}}});
  return json;
}

void slots(Api& api, const Shared& exchange) {
  const int realm = realm_of(exchange->request());
  Json list = Json::array();
  for (const SlotInfo& slot : api.model().scheduler.slots())
    list.push_back(slot_json(slot, static_cast<int>(list.size()), realm, api.model().context));
  reply_json(*exchange, list);
}

int slot_number(const Api& api, const std::string& text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 ||
      number >= api.model().slots)
    refuse("id_slot", "{} is no slot: they are numbered from 0 to {}", printable(text),
           api.model().slots - 1);
  return number;
}

std::string file_name(const Shared& exchange) {
  const Json body = parse_body(exchange->request().body);
  Fields fields(body);
  const auto name = fields.text("filename");
  if (!name) refuse("filename", "filename is missing: the name of a file to save to or restore");
  fields.finish();
  if (!is_slot_file_name(*name))
    refuse("filename",
           "filename: \"{}\" is no name that is taken: up to 100 letters, digits, dots, dashes "
           "and underscores, no dot in front and no \".part\" at the end",
           printable(*name));
  return *name;
}

// Braid's exceptions as answers; what is wrong with a file is for the client that named it.
void answering_slot(Exchange& exchange, const std::function<void()>& run) {
  answering(exchange, [&] {
    try {
      run();
    } catch (const SlotEmpty& error) {
      throw ApiError(404, error.what(), "slot_empty");
    } catch (const SlotBusy& error) {
      throw ApiError(503, error.what(), "slot_busy");
    }
  });
}

// Where files lie is not for clients: what follows the path is.
ApiError file_error(const std::string& name, const char* not_done, const char* code,
                    const Error& error) {
  const std::string_view what = error.what();
  const size_t path = what.find(": ");
  const std::string_view why = path == what.npos ? what : what.substr(path + 2);
  return ApiError(500, fmt::format("{} was not {}: {}", name, not_done, why), code);
}

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void save(Api& api, SlotFolder& folder, const Shared& exchange, int slot) {
  const std::string name = file_name(exchange);
  const auto start = Clock::now();
  const int realm = realm_of(exchange->request());
  const SlotState state = api.model().scheduler.copy_slot(slot, realm);
  size_t bytes = 0;
  try {
    bytes = folder.save(realm, name, state);
  } catch (const SlotFolderFull& error) {
    throw ApiError(507, fmt::format("{} was not saved: {}", name, error.what()),
                   "slot_folder_full");
  } catch (const Error& error) {
    throw file_error(name, "saved", "not_saved", error);
  }
  reply_json(*exchange, {{"id_slot", slot},
                         {"filename", name},
                         {"n_saved", state.tokens.size()},
                         {"n_written", bytes},
                         {"timings", {{"save_ms", ms_since(start)}}}});
}

void restore_now(Api& api, SlotFolder& folder, const Shared& exchange, int slot,
                 const std::string& name) {
  const auto start = Clock::now();
  const int realm = realm_of(exchange->request());
  std::optional<SlotFolder::Loaded> loaded;
  try {
    loaded = folder.load(realm, name);
  } catch (const Damaged&) {
    refuse("filename",
           "{} cannot be restored: it is damaged, or of another model, build or cache type", name);
  } catch (const Error& error) {
    throw file_error(name, "restored", "not_restored", error);
  }
  if (!loaded)
    throw ApiError({.status = 404,
                    .message = fmt::format("nothing was saved as {}", name),
                    .type = {},
                    .param = "filename",
                    .code = "file_not_found"});
  api.model().scheduler.restore_slot(slot, realm, loaded->state, [&] { return !exchange->gone(); });
  reply_json(*exchange, {{"id_slot", slot},
                         {"filename", name},
                         {"n_restored", loaded->state.tokens.size()},
                         {"n_read", loaded->bytes},
                         {"timings", {{"restore_ms", ms_since(start)}}}});
}

// One at a time: each holds a conversation while it waits for room.
void restore(Api& api, SlotFolder& folder, const Shared& exchange, int slot) {
  api.in_time(exchange, [&api, &folder, exchange, slot, name = file_name(exchange)] {
    answering_slot(*exchange, [&] {
      if (exchange->gone()) throw SlotBusy("nobody waits for this any more");
      restore_now(api, folder, exchange, slot, name);
    });
  });
}

void slot_action(Api& api, const Shared& exchange) {
  answering_slot(*exchange, [&] {
    const HttpRequest& request = exchange->request();
    const std::string_view action = request.parameter("action");
    if (action != "save" && action != "restore" && action != "erase")
      refuse("action", "the action \"{}\" is none of save, restore and erase", printable(action));
    const int slot = slot_number(api, request.captured.at(0));
    if (action == "erase") {
      const int64_t erased = api.model().scheduler.erase_slot(slot, realm_of(request));
      return reply_json(*exchange, {{"id_slot", slot}, {"n_erased", erased}});
    }
    if (!api.model().slot_folder)
      throw ApiError({.status = 501,
                      .message = "this server was started without a folder for saved slots: start "
                                 "it with --slot-save-path FOLDER",
                      .type = "not_implemented_error",
                      .param = "action",
                      .code = "not_implemented"});
    (action == "save" ? save : restore)(api, *api.model().slot_folder, exchange, slot);
  });
}

}  // namespace

void add_slot_routes(Api& api, Routes& routes) {
  routes.add("GET", "/slots", [&api](Shared exchange) { slots(api, exchange); });
  routes.add("POST", "/slots/{}", [&api](Shared exchange) { slot_action(api, exchange); });
}

}  // namespace braid
