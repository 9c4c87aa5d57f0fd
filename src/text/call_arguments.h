// The arguments of tool calls in a conversation: JSON objects or JSON texts.
//
// The API that servers speak has them as texts; Hugging Face's apply_chat_template documents
// objects, and hands on what it is given. Templates follow one or the other: most loop over an
// object or print it with tojson, some add a text to a text. So the form is a question to the
// template, asked once: two small conversations, rendered and compared.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

namespace braid {

class ChatTemplate;

enum class CallArguments : uint8_t { kAsGiven, kObjects, kTexts };

// kTexts when the template fails on objects or prints them as Python does; otherwise kObjects.
// The answer for a template that knows no tool calls is kObjects, too.
CallArguments wanted_call_arguments(const ChatTemplate& chat);

// The message with the arguments of its tool calls in this form. An empty text is an empty object.
// A text that holds no JSON object stays a text: a model may have written it, and it is the
// template that knows what to do with it. Objects become texts as json.dumps of Python has them.
nlohmann::ordered_json with_call_arguments(nlohmann::ordered_json message, CallArguments form);

}  // namespace braid
