"""Settings that Gemini could never accept: each is a fault, with a sentence."""

from typing import Final

import pytest

from livegate.protocol import config

FAULTY: Final[list[tuple[dict[str, object], str]]] = [
    ({"model": 7}, "model must be the name of a model, got 7"),
    ({"model": "a b"}, "model must be"),
    ({"model": "../x"}, "model must be"),
    ({"model": "x" * 129}, "model must be"),
    ({"temperature": 2.01}, "temperature must be a number from 0 to 2, got 2.01"),
    ({"temperature": -0.1}, "temperature must be"),
    ({"temperature": True}, "got True"),
    ({"temperature": "hot"}, "got 'hot'"),
    ({"max_output_tokens": 0}, "max_output_tokens must be a whole number from 1"),
    ({"max_output_tokens": 1.5}, "a whole number"),
    ({"max_output_tokens": 2**31}, "a whole number"),
    ({"top_p": 1.1}, "top_p must be a number from 0 to 1"),
    ({"top_k": 0}, "top_k must be"),
    ({"seed": -(2**31) - 1}, "seed must be"),
    ({"vad": 5}, "vad must be an object of disabled, start_of_speech_sensitivity, "),
    ({"vad": 5}, "prefix_padding_ms, silence_duration_ms, got 5"),
    ({"presence_penalty": 3}, "from -2 to 2"),
    ({"frequency_penalty": -3}, "from -2 to 2"),
    ({"media_resolution": "HUGE"}, "one of LOW, MEDIUM, HIGH, got 'HUGE'"),
    ({"media_resolution": 1}, "one of LOW"),
    ({"voice": "Pukc"}, "voice is no voice: 'Pukc'; did you mean Puck?"),
    ({"voice": "xyzzy"}, "voice is no voice: 'xyzzy'; one is Puck"),
    ({"voice": 1}, "voice must be the name of a voice, got 1"),
    ({"language": "german"}, "language must be a language tag such as en-US, got 'german'"),
    ({"language": 1}, "a language tag"),
    ({"response_modalities": []}, '["TEXT"], ["AUDIO"] or both'),
    ({"response_modalities": ["AUDIO", 1]}, "got ['AUDIO', 1]"),
    ({"response_modalities": ["VIDEO"]}, "got ['VIDEO']"),
    ({"system_instruction": ""}, "must be text, or a Content with text parts, got ''"),
    ({"system_instruction": " "}, "must be text"),
    ({"system_instruction": "a\0"}, "must be text"),
    ({"system_instruction": 7}, "must be text"),
    ({"system_instruction": {"parts": []}}, "must be text"),
    ({"system_instruction": {"parts": [{"text": "a"}, {"inlineData": {}}]}}, "must be text"),
    ({"system_instruction": {"parts": [7]}}, "must be text"),
    ({"tools": 7}, "tools must be a list of tools, got 7"),
    ({"tools": [{}]}, "tools must be a list of tools"),
    (
        {"tools": [{"google_serch": {}}]},
        "unknown tool 'google_serch'; did you mean google_search?",
    ),
    (
        {"tools": [{"function_declarations": {}}]},
        "tools has function_declarations that are not a list of named functions",
    ),
    ({"tools": [{"functionDeclarations": [{}]}]}, "not a list of named functions"),
    ({"tools": [{"functionDeclarations": [{"name": ""}]}]}, "not a list of named functions"),
    ({"vad": True}, "vad must be an object of disabled, "),
    ({"vad": {"disabeld": True}}, "unknown key 'disabeld'; did you mean disabled?"),
    ({"vad": {"disabled": 1}}, "vad has disabled that must be true or false, got 1"),
    ({"vad": {"prefix_padding_ms": -1}}, "prefix_padding_ms that must be a whole number"),
    ({"vad": {"silence_duration_ms": -1}}, "silence_duration_ms that must be"),
    ({"vad": {"start_of_speech_sensitivity": "MEDIUM"}}, "one of HIGH, LOW"),
    ({"vad": {"end_of_speech_sensitivity": None}}, "one of HIGH, LOW"),
    ({"activity_handling": "X"}, "one of START_OF_ACTIVITY_INTERRUPTS, NO_INTERRUPTION"),
    ({"turn_coverage": "X"}, "one of ONLY_ACTIVITY, ALL_INPUT"),
    ({"input_transcription": 1}, "true or false"),
    ({"output_transcription": {"a": 1}}, "true or false"),
    ({"thinking": {"thinking_budget": -2}}, "thinking_budget that must be"),
    ({"thinking": {"thinking_level": "MAX"}}, "one of MINIMAL, LOW"),
    ({"thinking": {"include_thoughts": "yes"}}, "true or false"),
    ({"events": "some"}, "events must be a list of frame types, or \"all\", got 'some'"),
    ({"events": 7}, "a list of frame types"),
    ({"events": [1]}, "a list of frame types"),
    ({"events": {}}, "a list of frame types"),
    ({"user_id": "x" * 129}, "must be a string of at most 128 characters, got 'xxx"),
    ({"user_id": True}, "at most 128 characters"),
    ({"client_id": None, "device": {}}, "device must be a string"),
    ({"client_id": []}, "client_id must be"),
    ({"session_id": {}}, "session_id must be"),
    ({"request_id": 1.5}, "request_id must be"),
    ({"app": ["a"]}, "app must be a string"),
    ({"generation_config": [1]}, "generation_config must be an object, got [1]"),
    ({"generation_config": {"temperature": 9}}, "generation_config.temperature must be"),
    (
        {"temperature": 1, "generation_config": {"temperature": 2}},
        "generation_config.temperature contradicts temperature",
    ),
    ({"voice": "Puck", "voice_name": "Kore"}, "voice_name contradicts voice"),
    ({"temperature": 9, "top_p": 9}, "got 9; temperature must"),
    ({f"k{n}": 1 for n in range(99)}, "config has 101 keys"),
    ({"generation_config": {f"k{n}": 1 for n in range(99)}}, "config has 101 keys"),
]


@pytest.mark.parametrize(
    ("data", "fault"),
    FAULTY,
)
def test_faulty(data: dict[str, object], fault: str) -> None:
    """What Gemini could never accept is a fault with a sentence, and then nothing is applied."""
    delta = config.parse({"top_p": 0.5, "unknown": 1, **data})
    assert fault in delta.fault
    assert (delta.values, delta.given, delta.refused) == ({}, {}, {})


def test_most_keys() -> None:
    """A hundred keys are judged one by one, junk or not."""
    assert len(config.parse({f"k{n}": 1 for n in range(100)}).refused) == 100
