"""What the providers' own APIs stream: a tool call, or text, each with its counts.

Shaped as the providers' references show it, shortened to what a client needs.
"""

import json
from typing import Any

from pydantic import BaseModel

COUNTED_INPUT = 120
COUNTED_OUTPUT = 34


class Wire(BaseModel):
    """One provider's API."""

    provider: str
    path: str
    """After the address, as OpenCode calls it."""
    key_header: str


WIRES = {
    "anthropic": Wire(provider="anthropic", path="/v1/messages", key_header="x-api-key"),
    "openai": Wire(provider="openai", path="/v1/responses", key_header="authorization"),
    "google": Wire(
        provider="google",
        path="/v1beta/models/m1:streamGenerateContent",
        key_header="x-goog-api-key",
    ),
}


def answer(provider: str, request: dict[str, Any], command: str) -> list[bytes]:
    """Return the events of an answer: first a call of `bash`, then what it printed."""
    parts = {"anthropic": _anthropic, "openai": _openai, "google": _google}
    return parts[provider](request, command)


def _event(data: dict[str, Any], *, named: bool = True) -> bytes:
    name = f"event: {data['type']}\n" if named else ""
    return f"{name}data: {json.dumps(data)}\n\n".encode()


def _anthropic(request: dict[str, Any], command: str) -> list[bytes]:
    results = [
        block
        for message in request["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    usage = {
        "input_tokens": 20,
        "cache_read_input_tokens": 90,
        "cache_creation_input_tokens": 10,
        "output_tokens": 1,
    }
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m1",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    if results:
        block: dict[str, Any] = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": f"It printed: {json.dumps(results[-1]['content'])}"}
    else:
        block = {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {}}
        arguments = json.dumps({"command": command, "description": "Run"})
        delta = {"type": "input_json_delta", "partial_json": arguments}
    reason = "end_turn" if results else "tool_use"
    return [
        _event({"type": "message_start", "message": message}),
        _event({"type": "content_block_start", "index": 0, "content_block": block}),
        _event({"type": "content_block_delta", "index": 0, "delta": delta}),
        _event({"type": "content_block_stop", "index": 0}),
        _event(
            {
                "type": "message_delta",
                "delta": {"stop_reason": reason, "stop_sequence": None},
                "usage": {"output_tokens": COUNTED_OUTPUT},
            }
        ),
        _event({"type": "message_stop"}),
    ]


def _openai(request: dict[str, Any], command: str) -> list[bytes]:
    results = [item for item in request["input"] if item.get("type") == "function_call_output"]
    item: dict[str, Any]
    if results:
        text = f"It printed: {json.dumps(results[-1]['output'])}"
        item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress"}
        content = [{"type": "output_text", "text": text, "annotations": []}]
        done = item | {"status": "completed", "content": content}
        item["content"] = []
        delta = {
            "type": "response.output_text.delta",
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "delta": text,
        }
    else:
        arguments = json.dumps({"command": command, "description": "Run"})
        item = {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "bash",
            "arguments": "",
        }
        done = item | {"arguments": arguments, "status": "completed"}
        delta = {
            "type": "response.function_call_arguments.delta",
            "item_id": "fc_1",
            "output_index": 0,
            "delta": arguments,
        }
    response = {"id": "resp_1", "object": "response", "created_at": 0, "model": "m1"}
    usage = {
        "input_tokens": COUNTED_INPUT,
        "input_tokens_details": {"cached_tokens": 90},
        "output_tokens": COUNTED_OUTPUT,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": COUNTED_INPUT + COUNTED_OUTPUT,
    }
    ended = response | {"status": "completed", "output": [done], "usage": usage}
    return [
        _event({"type": "response.created", "response": response | {"status": "in_progress"}}),
        _event({"type": "response.output_item.added", "output_index": 0, "item": item}),
        _event(delta),
        _event({"type": "response.output_item.done", "output_index": 0, "item": done}),
        _event({"type": "response.completed", "response": ended}),
    ]


def _google(request: dict[str, Any], command: str) -> list[bytes]:
    results = [
        part["functionResponse"]
        for content in request["contents"]
        for part in content["parts"]
        if "functionResponse" in part
    ]
    part: dict[str, Any] = (
        {"text": f"It printed: {json.dumps(results[-1]['response'])}"}
        if (results)
        else {"functionCall": {"name": "bash", "args": {"command": command, "description": "Run"}}}
    )
    usage = {"promptTokenCount": COUNTED_INPUT, "candidatesTokenCount": 1, "totalTokenCount": 121}
    ended = {"promptTokenCount": COUNTED_INPUT, "candidatesTokenCount": 30, "thoughtsTokenCount": 4}
    first = {"content": {"role": "model", "parts": [part]}, "index": 0}
    last = {"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP"}
    return [
        _event({"candidates": [first], "usageMetadata": usage}, named=False),
        _event({"candidates": [last | {"index": 0}], "usageMetadata": ended}, named=False),
    ]
