#include "client/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <exception>
#include <mutex>
#include <utility>

namespace braid {
namespace {

constexpr int kPollMs = 100;

void start_libcurl() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) fail("libcurl could not be started");
  });
}

std::string_view host_of(std::string_view base) {
  base.remove_prefix(base.find("://") + 3);
  if (base.starts_with('[')) return base.substr(0, std::min(base.find(']') + 1, base.size()));
  return base.substr(0, base.find_first_of(":/"));
}

// Where a proxy of the environment would only be in the way.
bool is_this_machine(std::string_view host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

HttpFailure failure_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return HttpFailure::kConnect;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return HttpFailure::kTls;
    case CURLE_OPERATION_TIMEDOUT:
      return HttpFailure::kTimeout;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return HttpFailure::kClosed;
    default:
      return HttpFailure::kOther;
  }
}

}  // namespace

const char* name_of(HttpFailure failure) {
  switch (failure) {
    case HttpFailure::kConnect:
      return "no connection";
    case HttpFailure::kTls:
      return "TLS";
    case HttpFailure::kTimeout:
      return "timeout";
    case HttpFailure::kClosed:
      return "connection closed";
    case HttpFailure::kOther:
      break;
  }
  return "transfer failed";
}

HttpTarget HttpTarget::of_url(std::string_view url) {
  HttpTarget target;
  if (url.starts_with("unix:")) {
    target.socket = url.substr(5);
    if (target.socket.empty()) fail("{}: no path: write unix:/run/braid.sock", url);
    target.base = "http://localhost";
    return target;
  }
  target.base = url.find("://") == std::string_view::npos ? "http://" + std::string(url) : url;
  if (!target.base.starts_with("http://") && !target.base.starts_with("https://"))
    fail("{}: Braid speaks http and https: write http://host:port", url);
  if (target.base.find_first_of("?# \t") != std::string::npos || host_of(target.base).empty())
    fail("{}: is not the address of a server: write http://host:port", url);
  while (target.base.ends_with('/')) target.base.pop_back();
  if (target.base.ends_with("/v1")) target.base.resize(target.base.size() - 3);
  return target;
}

class HttpClient::Handle {
 public:
  explicit Handle(HttpTarget target) : target_(std::move(target)) {
    start_libcurl();
    easy_ = curl_easy_init();
    multi_ = curl_multi_init();
    if (easy_ == nullptr || multi_ == nullptr) fail("libcurl has no memory for a connection");
  }
  ~Handle() {
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  const HttpTarget& target() const { return target_; }

  HttpReply send(const HttpCall& call) {
    call_ = &call;
    reply_ = {};
    thrown_ = nullptr;
    prepare(call);
    curl_multi_add_handle(multi_, easy_);
    const CURLcode code = transfer();
    curl_multi_remove_handle(multi_, easy_);
    call_ = nullptr;
    if (thrown_) std::rethrow_exception(thrown_);
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    reply_.status = static_cast<int>(status);
    if (const char* type = nullptr;
        curl_easy_getinfo(easy_, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type != nullptr)
      reply_.type = type;
    if (code != CURLE_OK && !reply_.stopped) failed(code);
    return std::move(reply_);
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(easy_, option, value);
    if (code != CURLE_OK) fail("libcurl: {}", curl_easy_strerror(code));
  }

  void prepare(const HttpCall& call) {
    curl_easy_reset(easy_);  // keeps the connection
    error_[0] = '\0';
    set(CURLOPT_ERRORBUFFER, error_);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_URL, (target_.base + call.path).c_str());
    if (!target_.socket.empty()) set(CURLOPT_UNIX_SOCKET_PATH, target_.socket.c_str());
    if (is_this_machine(host_of(target_.base))) set(CURLOPT_PROXY, "");
    if (!target_.ca_file.empty()) set(CURLOPT_CAINFO, target_.ca_file.c_str());
    if (target_.any_certificate) {
      set(CURLOPT_SSL_VERIFYPEER, 0L);
      set(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    set(CURLOPT_CONNECTTIMEOUT_MS, std::lround(target_.connect_seconds * 1000));
    // Fewer bytes than one a second, for so long.
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, std::max(1L, std::lround(std::ceil(target_.silent_seconds))));
    set(CURLOPT_CUSTOMREQUEST, call.method.c_str());
    if (call.method != "GET") {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
      set(CURLOPT_POSTFIELDS, call.body.c_str());
    }
    set_headers();
    set(CURLOPT_WRITEFUNCTION, &Handle::on_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Handle::on_header);
    set(CURLOPT_HEADERDATA, this);
  }

  void set_headers() {
    curl_slist_free_all(std::exchange(headers_, nullptr));
    const auto add = [&](const std::string& line) {
      curl_slist* longer = curl_slist_append(headers_, line.c_str());
      if (longer == nullptr) fail("libcurl has no memory for a header");
      headers_ = longer;
    };
    add("Content-Type: application/json");
    add("Accept: application/json, text/event-stream");
    add("Expect:");  // no round trip before a large body
    if (!target_.key.empty()) add("Authorization: Bearer " + target_.key);
    set(CURLOPT_HTTPHEADER, headers_);
  }

  CURLcode transfer() {
    for (int running = 1; running > 0;) {
      if (curl_multi_perform(multi_, &running) != CURLM_OK) return CURLE_FAILED_INIT;
      if (running == 0) break;
      if (call_->stop && call_->stop()) {
        reply_.stopped = true;
        return CURLE_ABORTED_BY_CALLBACK;
      }
      curl_multi_poll(multi_, nullptr, 0, kPollMs, nullptr);
    }
    for (int left = 0; const CURLMsg* message = curl_multi_info_read(multi_, &left);)
      if (message->msg == CURLMSG_DONE) return message->data.result;
    return CURLE_GOT_NOTHING;
  }

  [[noreturn]] void failed(CURLcode code) const {
    const char* why = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
    const HttpFailure failure = failure_of(code);
    const std::string& where = target_.socket.empty() ? target_.base : target_.socket;
    if (failure == HttpFailure::kConnect)
      throw HttpError(failure, fmt::format("{}: no server answers: {}", where, why));
    throw HttpError(failure, fmt::format("{}: {}: {}", where, name_of(failure), why));
  }

  static size_t on_body(char* bytes, size_t one, size_t n, void* self) {
    return static_cast<Handle*>(self)->take({bytes, one * n}) ? one * n : CURL_WRITEFUNC_ERROR;
  }
  bool take(std::string_view piece) {
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    try {
      if (!call_->on_piece || status / 100 != 2) {
        reply_.body += piece;
        return true;
      }
      if (call_->on_piece(piece)) return true;
      reply_.stopped = true;
    } catch (...) {
      thrown_ = std::current_exception();  // not through libcurl's frames
    }
    return false;
  }

  static size_t on_header(char* bytes, size_t one, size_t n, void* self) {
    static_cast<Handle*>(self)->note_header({bytes, one * n});
    return one * n;
  }
  void note_header(std::string_view line) {
    constexpr std::string_view kName = "retry-after:";
    if (line.size() <= kName.size()) return;
    for (size_t i = 0; i < kName.size(); ++i) {
      const char c = line[i];
      if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != kName[i]) return;
    }
    line.remove_prefix(kName.size());
    while (line.starts_with(' ')) line.remove_prefix(1);
    int seconds = 0;  // a date, which is the other form, is left alone
    if (std::from_chars(line.data(), line.data() + line.size(), seconds).ec == std::errc{})
      reply_.retry_after = std::max(0, seconds);
  }

  HttpTarget target_;
  CURL* easy_ = nullptr;
  CURLM* multi_ = nullptr;
  curl_slist* headers_ = nullptr;
  char error_[CURL_ERROR_SIZE] = {};
  const HttpCall* call_ = nullptr;
  HttpReply reply_;
  std::exception_ptr thrown_;
};

HttpClient::HttpClient(HttpTarget target) : handle_(std::make_unique<Handle>(std::move(target))) {}
HttpClient::~HttpClient() = default;

const HttpTarget& HttpClient::target() const { return handle_->target(); }
HttpReply HttpClient::send(const HttpCall& call) { return handle_->send(call); }

}  // namespace braid
