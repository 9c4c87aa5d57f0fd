#include "server/answer_request.h"

#include "server/answer.h"
#include "server/api_error.h"

#include <nlohmann/json.hpp>

namespace braid {

void answer_request(Api& api, const std::shared_ptr<Exchange>& exchange, AnswerForm form,
                    const std::function<void(Fields& fields, AnswerPlan& plan)>& read) {
  answering(*exchange, [&] {
    const Fields::Json body = parse_body(exchange->request().body);
    Fields fields(body);
    check_model(fields, api.model());
    AnswerPlan plan;
    plan.form = form;
    plan.options = read_answer_options(fields, api.model(), form);
    read(fields, plan);
    fields.finish();
    check_prompts(plan, api.model(), form == AnswerForm::kChat ? "messages" : "prompt");
    BudgetShare room = api.room_for_plan(bytes_of(plan));
    Answer::start(api, exchange, std::move(plan), std::move(room));
  });
}

}  // namespace braid
