// Keeps web pages off a server that asks for no key. A browser sends what any page tells it to,
// also to this machine and to networks that the page's author cannot reach.
#pragma once

#include "server/error_body.h"
#include "server/exchange.h"
#include "server/http_server.h"

#include <optional>
#include <string_view>

namespace braid {

// Status 403 for what a page sends that no option allows, and for a name of this server that a page
// may have made up to be taken for a part of it (its DNS then points here). Browsers tell both
// truthfully, in Origin and Host; other clients send no Origin. Nothing where keys are asked for.
std::optional<ErrorBody> refused_page(const HttpRequest& request, const HttpServerOptions& options);

// True for addresses and for names that the public DNS does not give out: "localhost", "gpu-box",
// "braid.local", with or without a port.
bool is_private_host(std::string_view host);

}  // namespace braid
