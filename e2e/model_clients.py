"""The official Python clients of OpenAI and Anthropic, asking a Wardroom as if it were their own servers.

Takes its settings as JSON on standard input and tells, line by line as JSON, what came of each part.
"""

import json
import sys

import anthropic
import openai
from pydantic import BaseModel

TOOL = {
    "type": "object",
    "properties": {"place": {"type": "string"}},
    "required": ["place"],
    "additionalProperties": False,
}


class Berth(BaseModel):
    """What a structured answer is."""

    name: str
    metres: int


def tell(part, **what):
    print(json.dumps({"part": part, **what}), flush=True)


def with_openai(settings):
    client = openai.OpenAI(base_url=f"{settings['url']}/v1", api_key=settings["key"], max_retries=0)
    said = lambda text: [{"role": "user", "content": text}]
    whole = client.chat.completions.create(model="parrot", messages=said("Ahoy"))
    tell("whole", text=whole.choices[0].message.content, tokens=whole.usage.total_tokens > 0)

    stream = client.chat.completions.create(
        model="parrot", messages=said("Ahoy"), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    tell("streamed", text=text, pieces=len(chunks) > 3, tokens=chunks[-1].usage.total_tokens > 0)

    tools = [{"type": "function", "function": {"name": "tides", "parameters": TOOL}}]
    with client.chat.completions.stream(model="parrot", messages=said("a tool"), tools=tools) as stream:
        asked = stream.get_final_completion().choices[0].message
    call = asked.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": "High at noon"}
    answered = client.chat.completions.create(
        model="parrot", messages=[*said("a tool"), asked.model_dump(exclude_none=True, include={"role", "tool_calls"}), result], tools=tools
    )
    tell("tools", arguments=json.loads(call.function.arguments), text=answered.choices[0].message.content)

    parsed = client.chat.completions.parse(model="parrot", messages=said("a berth"), response_format=Berth)
    tell("structured", berth=parsed.choices[0].message.parsed.model_dump())

    for model, words, expected in [
        ("script/none", "no answer", openai.BadRequestError),
        ("nowhere", "Ahoy", openai.NotFoundError),
        ("parrot", "too long", openai.BadRequestError),
        ("parrot", "too much", openai.RateLimitError),
        ("parrot", "is down", openai.InternalServerError),
    ]:
        try:
            client.chat.completions.create(model=model, messages=said(words))
        except openai.APIStatusError as error:
            tell("failed", words=words, right=isinstance(error, expected), code=error.code, status=error.status_code)
    try:
        openai.OpenAI(base_url=f"{settings['url']}/v1", api_key="nonsense", max_retries=0).models.list()
    except openai.AuthenticationError as error:
        tell("stranger", code=error.code)
    tell("models", names=[model.id for model in client.models.list()])

    stream = client.chat.completions.create(model="parrot", messages=said("slowly"), stream=True)
    next(iter(stream))
    stream.close()
    tell("closed")


def with_anthropic(settings):
    client = anthropic.Anthropic(base_url=settings["url"], api_key=settings["key"], max_retries=0)
    ask = dict(model="parrot", max_tokens=200)
    said = lambda text: [{"role": "user", "content": text}]
    whole = client.messages.create(**ask, messages=said("Ahoy"))
    tell("whole", text=whole.content[0].text, tokens=whole.usage.output_tokens > 0)

    with client.messages.stream(**ask, messages=said("Ahoy")) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    tell("streamed", text=text, pieces=True, tokens=final.usage.input_tokens > 0)

    tools = [{"name": "tides", "input_schema": TOOL}]
    with client.messages.stream(**ask, messages=said("a tool"), tools=tools) as stream:
        asked = stream.get_final_message()
    call = asked.content[-1]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "High at noon"}
    messages = [
        *said("a tool"),
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in asked.content]},
        {"role": "user", "content": [result]},
    ]
    answered = client.messages.create(**ask, messages=messages, tools=tools)
    tell("tools", arguments=call.input, text=answered.content[0].text)

    format = {"type": "json_schema", "schema": Berth.model_json_schema()}
    parsed = client.messages.create(**ask, messages=said("a berth"), output_config={"format": format})
    tell("structured", berth=Berth.model_validate_json(parsed.content[0].text).model_dump())

    for model, words, expected in [
        ("script/none", "no answer", anthropic.BadRequestError),
        ("nowhere", "Ahoy", anthropic.NotFoundError),
        ("parrot", "too long", anthropic.BadRequestError),
        ("parrot", "too much", anthropic.RateLimitError),
        ("parrot", "is down", anthropic.InternalServerError),
    ]:
        try:
            client.messages.create(model=model, max_tokens=9, messages=said(words))
        except anthropic.APIStatusError as error:
            kind = error.body["error"]["type"]
            tell("failed", words=words, right=isinstance(error, expected), code=kind, status=error.status_code)
    try:
        anthropic.Anthropic(base_url=settings["url"], api_key="nonsense", max_retries=0).models.list()
    except anthropic.AuthenticationError as error:
        tell("stranger", code=error.body["error"]["type"])
    tell("models", names=[model.id for model in client.models.list()])

    with client.messages.stream(**ask, messages=said("slowly")) as stream:
        next(iter(stream.text_stream))
    tell("closed")


settings = json.load(sys.stdin)
{"openai": with_openai, "anthropic": with_anthropic}[settings["client"]](settings)
