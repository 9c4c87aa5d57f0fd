// Slots as llama-server's clients use them: what runs where; saved, restored and erased.
#include "base/descriptor.h"
#include "server/api_test_support.h"
#include "state/disk_test_support.h"

#include <fmt/format.h>

#include <sys/socket.h>
#include <sys/un.h>

namespace braid {
namespace {

namespace fs = std::filesystem;
using disk_test::Folder;
using test::Json;
using test::ServedDemo;

SlotFolderOptions options_of(const Folder& folder, std::map<int, std::string> realms = {}) {
  return {folder.path() + "/slots", "the demo model", std::move(realms)};
}

// The demo model from one start to its end, with a folder for slots.
struct Life {
  explicit Life(const SlotFolderOptions& options, test::ServedOptions served = {})
      : demo(served), folder(demo.pool(), options) {
    demo.model().slot_folder = &folder;
  }
  Json complete(const std::string& prompt) {
    return demo.ask("/v1/completions", {{"prompt", prompt}, {"max_tokens", 12}});
  }
  int64_t cached(const Json& answer) { return answer["braid"]["cached_tokens"]; }
  Json act(const std::string& action, const Json& body, int status = 200, int slot = 0) {
    const auto exchange =
        demo.start("POST", fmt::format("/slots/{}", slot), body.dump(), {{"action", action}});
    exchange->wait();
    EXPECT_EQ(exchange->status(), status) << exchange->body();
    return exchange->json();
  }
  Json file(const std::string& action, const std::string& name, int status = 200, int slot = 0) {
    return act(action, {{"filename", name}}, status, slot);
  }

  ServedDemo demo;
  SlotFolder folder;
};

std::string story(int number) {
  std::string text = fmt::format("Story {}.", number);
  for (int i = 0; i < 20; ++i) text += fmt::format(" The miller saw {} boats at the harbour.", i);
  return text;
}

TEST(SlotsApi, ASavedConversationGoesOnAfterARestart) {
  const Folder folder;
  Json saved;
  std::string talk = story(1), expected;
  {
    Life life(options_of(folder));
    talk += life.complete(talk)["choices"][0]["text"].get<std::string>() + " And then";
    saved = life.file("save", "talk-1.bin");
    EXPECT_EQ(saved["id_slot"], 0);
    EXPECT_EQ(saved["filename"], "talk-1.bin");
    EXPECT_GT(saved["n_saved"], 200);
    EXPECT_GE(saved["timings"]["save_ms"], 0);
    EXPECT_EQ(saved["n_written"], fs::file_size(folder.path() + "/slots/talk-1.bin"));
  }
  {
    Life cold(options_of(folder));
    const Json answer = cold.complete(talk);
    EXPECT_EQ(cold.cached(answer), 0);
    expected = answer["choices"][0]["text"];
  }
  Life life(options_of(folder));
  const Json restored = life.file("restore", "talk-1.bin", 200, 2);
  EXPECT_EQ(restored["id_slot"], 2);
  EXPECT_EQ(restored["n_restored"], saved["n_saved"]);
  EXPECT_EQ(restored["n_read"], saved["n_written"]);
  EXPECT_GE(restored["timings"]["restore_ms"], 0);
  const Json answer = life.complete(talk);
  EXPECT_GE(life.cached(answer), saved["n_saved"].get<int64_t>() - 1);
  EXPECT_EQ(answer["choices"][0]["text"], expected);
  // The slot has it now, to be saved again under another name.
  EXPECT_EQ(life.file("save", "talk-2.bin", 200, 2)["n_saved"], saved["n_saved"]);
}

// What nobody can open, root neither.
void make_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  path.copy(address.sun_path, path.size());
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

TEST(SlotsApi, WhatIsWrongIsSaid) {
  const Folder folder;
  Life life(options_of(folder));
  const auto message = [](const Json& answer) {
    return answer["error"]["message"].get<std::string>();
  };
  EXPECT_NE(message(life.file("save", "a", 404)).find("slot 0 has nothing"), std::string::npos);
  EXPECT_NE(message(life.file("restore", "a", 404)).find("nothing was saved as a"),
            std::string::npos);
  EXPECT_EQ(life.file("copy", "a", 400)["error"]["param"], "action");
  for (const char* name :
       {"", ".", "..", ".a", "a/b", "/etc/passwd", "../a", "a\\b", "a b", "ä", "a.part"})
    EXPECT_EQ(life.file("save", name, 400)["error"]["param"], "filename") << name;
  EXPECT_EQ(life.file("save", std::string(101, 'a'), 400)["error"]["param"], "filename");
  EXPECT_EQ(life.act("save", Json::object(), 400)["error"]["param"], "filename");
  EXPECT_EQ(life.act("save", {{"filename", "a"}, {"b", 1}}, 400)["error"]["param"], "b");
  EXPECT_EQ(life.file("save", "a", 400, 4)["error"]["param"], "id_slot");
  life.complete(story(1));
  life.file("save", "a");
  const std::string path = folder.path() + "/slots/a";
  const std::string whole = disk_test::contents(path);
  disk_test::flip(path, whole.size() - 5);
  EXPECT_NE(message(life.file("restore", "a", 400)).find("damaged"), std::string::npos);
  disk_test::write(path, whole.substr(0, whole.size() / 2));
  life.file("restore", "a", 400);
  disk_test::write(path, whole);
  life.file("restore", "a");
  SlotFolderOptions other = options_of(folder);
  other.key = "another model";
  SlotFolder others(life.demo.pool(), other);
  life.demo.model().slot_folder = &others;
  EXPECT_NE(message(life.file("restore", "a", 400)).find("another model"), std::string::npos);
  fs::create_directory(folder.path() + "/slots/b.part");
  const std::string unsaved = message(life.file("save", "b", 500));
  EXPECT_NE(unsaved.find("cannot be written"), std::string::npos) << unsaved;
  EXPECT_EQ(unsaved.find(folder.path()), std::string::npos) << unsaved;
  make_socket(folder.path() + "/slots/c");
  const std::string unread = message(life.file("restore", "c", 500));
  EXPECT_NE(unread.find("cannot be opened"), std::string::npos) << unread;
  EXPECT_EQ(unread.find(folder.path()), std::string::npos) << unread;
  life.demo.model().slot_folder = nullptr;
  EXPECT_NE(message(life.file("save", "a", 501)).find("--slot-save-path"), std::string::npos);
  life.act("erase", Json::object());  // needs none
}

// A folder that somebody chose stays as it is; what others could write is not believed.
TEST(SlotsApi, AFolderForAllIsRefused) {
  const Folder folder;
  ServedDemo demo;
  const SlotFolderOptions options = options_of(folder);
  for (const auto& [mode, good] :
       {std::pair{0777, false}, {01777, false}, {0770, false}, {0755, true}}) {
    fs::create_directory(options.folder);
    fs::permissions(options.folder, static_cast<fs::perms>(mode));
    if (good)
      SlotFolder(demo.pool(), options);
    else
      EXPECT_THROW(SlotFolder(demo.pool(), options), Error) << mode;
    EXPECT_EQ(fs::status(options.folder).permissions(), static_cast<fs::perms>(mode));
  }
}

TEST(SlotsApi, KeysKnowNothingOfEachOther) {
  const Folder folder;
  int64_t saved = 0;
  std::string talk = story(1);
  {
    Life life(options_of(folder, {{1, "one"}, {2, "two"}}));
    life.demo.set_key(0);
    talk += life.complete(talk)["choices"][0]["text"].get<std::string>() + " And then?";
    saved = life.file("save", "a")["n_saved"];
    life.demo.set_key(1);
    life.file("save", "a", 404);  // the slot is empty for this key
    life.file("restore", "a", 404);
    EXPECT_EQ(life.act("erase", {})["n_erased"], 0);
    life.complete(story(2) + story(3));
    EXPECT_NE(life.file("save", "a")["n_saved"], saved);  // another file of the same name
    life.demo.set_key(0);
    EXPECT_EQ(life.file("restore", "a")["n_restored"], saved);
    EXPECT_FALSE(fs::exists(folder.path() + "/slots/a"));
  }
  Life life(options_of(folder, {{1, "two"}, {2, "one"}}));
  life.demo.set_key(1);
  EXPECT_EQ(life.file("restore", "a")["n_restored"], saved);
  life.demo.set_key(0);
  EXPECT_NE(life.file("restore", "a")["n_restored"], saved);
  EXPECT_EQ(life.cached(life.complete(talk)), 0);  // nothing of the other key's
  life.demo.set_key(1);
  EXPECT_GE(life.cached(life.complete(talk)), saved - 1);
}

TEST(SlotsApi, ErasingForgetsWhatNobodyElseGoesOnFrom) {
  const Folder folder;
  Life life(options_of(folder));
  life.complete(story(1));
  EXPECT_GT(life.act("erase", Json::object())["n_erased"], 200);
  EXPECT_EQ(life.act("erase", Json::object())["n_erased"], 0);
  EXPECT_EQ(life.cached(life.complete(story(1))), 0);
  const std::string other = story(1) + " Then a sailor came, and nobody knew him.";
  const int64_t shared = life.cached(life.complete(other));
  EXPECT_GT(shared, 200);
  const int64_t erased = life.act("erase", Json::object())["n_erased"];
  EXPECT_GT(erased, 0);
  EXPECT_LT(erased, 100);
  EXPECT_GE(life.cached(life.complete(story(1))), 200);
}

TEST(SlotsApi, WhatRunsIsListedForItsKeyAlone) {
  const Folder folder;
  Life life(options_of(folder, {{1, "one"}, {2, "two"}}));
  life.demo.set_key(0);
  const auto exchange = life.demo.start(
      "POST", "/v1/completions", R"({"prompt": "One day", "stream": true, "ignore_eos": true})");
  exchange->wait_for_writes(3);
  const Json mine = life.demo.get("/slots")->json();
  ASSERT_EQ(mine.size(), 4u);
  EXPECT_EQ(mine[0]["is_processing"], true);
  EXPECT_GT(mine[0]["id_task"], 0);
  EXPECT_EQ(mine[0]["n_prompt_tokens"], 2);
  EXPECT_GT(mine[0]["next_token"][0]["n_decoded"], 0);
  EXPECT_EQ(mine[1],
            Json({{"id", 1}, {"n_ctx", 1024}, {"speculative", false}, {"is_processing", false}}));
  life.demo.set_key(1);
  const Json other = life.demo.get("/slots")->json();
  EXPECT_EQ(other[0],
            Json({{"id", 0}, {"n_ctx", 1024}, {"speculative", false}, {"is_processing", true}}));
  exchange->go();
}

// One slot, and a request in it that does not end.
struct Busy {
  Busy() : life(options_of(folder), one_slot()) {
    life.complete(story(1));
    life.file("save", "a");
    running = life.demo.start(
        "POST", "/v1/completions",
        R"({"prompt": "One day", "stream": true, "ignore_eos": true, "loop_guard": false})");
    running->wait_for_writes(3);
  }
  static test::ServedOptions one_slot() {
    test::ServedOptions one;
    one.sequences = 1;
    return one;
  }
  auto restore() {
    return life.demo.start("POST", "/slots/0", R"({"filename": "a"})", {{"action", "restore"}});
  }

  Folder folder;
  Life life;
  std::shared_ptr<test::FakeExchange> running;
};

TEST(SlotsApi, RestoringWaitsForASlot) {
  Busy busy;
  const auto restored = busy.restore();
  const auto later =
      busy.life.demo.start("POST", "/v1/completions", R"({"prompt": "Two days", "max_tokens": 4})");
  EXPECT_GT(busy.life.file("save", "b")["n_saved"], 200);  // while it runs: what ended before
  busy.running->wait_for_writes(30);
  EXPECT_FALSE(restored->ended());
  EXPECT_FALSE(later->ended());
  busy.running->go();
  EXPECT_EQ(restored->wait().status(), 200) << restored->body();
  EXPECT_EQ(later->wait().status(), 200);
  EXPECT_GT(busy.life.cached(busy.life.complete(story(1))), 200);
}

TEST(SlotsApi, WhoeverWaitsToRestoreMayGo) {
  Busy busy;
  const auto restored = busy.restore(), next = busy.restore();
  busy.running->wait_for_writes(100);  // by then its file has been read
  restored->go();
  EXPECT_EQ(restored->wait().json()["error"]["code"], "slot_busy");
  EXPECT_FALSE(busy.running->ended());
  EXPECT_FALSE(next->ended());
  busy.running->go();
  EXPECT_EQ(next->wait().status(), 200);
}

// There is a slot, but the pages are promised to who runs: nobody takes those that are left.
TEST(SlotsApi, SmallerRequestsDoNotPassARestore) {
  const Folder folder;
  test::ServedOptions served;
  served.sequences = 2;
  served.pages = 16;
  Life life(options_of(folder), served);
  life.complete(story(1));
  life.file("save", "a");
  const auto running = life.demo.start(
      "POST", "/v1/completions",
      R"({"prompt": "One day", "stream": true, "ignore_eos": true, "max_tokens": 800})");
  running->wait_for_writes(3);
  const auto restored =
      life.demo.start("POST", "/slots/0", R"({"filename": "a"})", {{"action", "restore"}});
  std::shared_ptr<test::FakeExchange> small;
  bool waits = false;
  for (int i = 0; i < 20 && !waits; ++i) {  // it has to read its file first
    small = life.demo.start("POST", "/v1/completions", R"({"prompt": "a", "max_tokens": 1})");
    for (int ms = 0; ms < 100 && !small->ended(); ++ms)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    waits = !small->ended();
  }
  EXPECT_TRUE(waits);
  EXPECT_FALSE(restored->ended());
  running->go();
  EXPECT_EQ(restored->wait().status(), 200) << restored->body();
  EXPECT_EQ(small->wait().status(), 200);
}

TEST(SlotsApi, AServerThatEndsTellsWhoWaits) {
  Busy busy;
  const auto restored = busy.restore();
  std::thread closing([&] { busy.life.demo.scheduler().shut_down(60); });
  busy.running->wait_for_writes(30);
  const auto late = busy.restore();
  busy.running->go();
  closing.join();
  const int status = restored->wait().status();  // it may have come too late
  EXPECT_TRUE(status == 200 || status == 503) << status;
  EXPECT_EQ(late->wait().json()["error"]["code"], "shutting_down");
}

TEST(SlotsApi, NoMoreIsSavedThanTheFolderMayHold) {
  const Folder folder;
  size_t bytes = 0;
  {
    Life life(options_of(folder));
    life.complete(story(1));
    bytes = life.file("save", "a")["n_written"];
  }
  SlotFolderOptions options = options_of(folder, {{1, "one"}, {2, "two"}});
  options.bytes = bytes + bytes / 2;
  Life life(options);
  life.demo.set_key(0);
  life.complete(story(1));
  const Json full = life.file("save", "b", 507)["error"];
  EXPECT_EQ(full["code"], "slot_folder_full");
  const std::string message = full["message"];
  EXPECT_NE(message.find("--slot-save-disk"), std::string::npos) << message;
  EXPECT_EQ(message.find(folder.path()), std::string::npos) << message;
  life.file("restore", "b", 404);
  fs::remove(options.folder + "/a");
  life.file("save", "b");
  life.file("save", "b");  // in its own place
  life.file("save", "c", 507);
  life.demo.set_key(1);
  life.complete(story(1));
  life.file("save", "b", 507);  // beside that of the other key
}

}  // namespace
}  // namespace braid
