//! How many tokens a question is likely to be, before a provider counts them. On the careful side: it is what is put aside.

use super::{Ask, AssistantPart, Message, UserPart};
use serde_json::Value;

/// What stands around a message.
const PER_MESSAGE: u64 = 4;
/// A picture, at the size at which most models look at it.
const PER_IMAGE: u64 = 1600;

/// Tokens of a text: one for three bytes of ASCII, and one for one and a half of anything else.
pub fn of_text(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let other = text.len() as u64 - ascii;
    ascii.div_ceil(3) + (other * 2).div_ceil(3)
}

fn of_json(value: &impl serde::Serialize) -> u64 {
    serde_json::to_string(value).map_or(0, |text| of_text(&text))
}

/// Tokens of a question.
pub fn of_ask(ask: &Ask) -> u64 {
    let messages = ask.messages.iter().map(of_message).sum::<u64>();
    let tools = ask.tools.iter().map(|tool| of_json(tool) + PER_MESSAGE).sum::<u64>();
    let response = ask.response.as_ref().map_or(0, of_json);
    of_text(&ask.system) + PER_MESSAGE + messages + tools + response
}

fn of_message(message: &Message) -> u64 {
    let parts = match message {
        Message::User { parts } => parts.iter().map(of_user_part).sum::<u64>(),
        Message::Assistant { parts } => parts.iter().map(of_assistant_part).sum::<u64>(),
    };
    parts + PER_MESSAGE
}

fn of_user_part(part: &UserPart) -> u64 {
    match part {
        UserPart::Text { text } => of_text(text),
        UserPart::Image { .. } => PER_IMAGE,
        UserPart::ToolResult { id, text, .. } => of_text(id) + of_text(text),
    }
}

fn of_assistant_part(part: &AssistantPart) -> u64 {
    match part {
        AssistantPart::Text { text } => of_text(text),
        AssistantPart::ToolCall { id, name, arguments } => {
            of_text(id) + of_text(name) + of_json(arguments)
        }
        AssistantPart::Thought { raw, .. } => match raw {
            Value::Null => 0,
            raw => of_json(raw),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_other_scripts_count_for_more() {
        assert_eq!((of_text(""), of_text("abc"), of_text("abcd")), (0, 1, 2));
        assert_eq!((of_text("é"), of_text("日本")), (2, 4));
    }

    #[test]
    fn all_that_is_sent_counts() {
        let text = |text: &str| UserPart::Text { text: text.to_owned() };
        let asked = |parts| Ask { messages: vec![Message::User { parts }], ..Ask::default() };
        let empty = of_ask(&asked(vec![]));
        assert_eq!(of_ask(&asked(vec![text("abcdef")])), empty + 2);
        let data = "A".repeat(100_000);
        let image = UserPart::Image { format: super::super::ImageKind::Png, data };
        assert_eq!(of_ask(&asked(vec![image])), empty + PER_IMAGE, "its bytes are no text");
    }
}
