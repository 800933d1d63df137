#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use proptest::prelude::*;

fn refused(text: &str) -> (Option<Id>, i64) {
    let malformed = parse(text.as_bytes()).expect_err(text);
    (malformed.id, malformed.error.code)
}

#[test]
fn what_is_no_message_is_refused_with_its_code_and_its_id() {
    let number = |n| Some(Id::Number(n));
    for (text, id, code) in [
        ("", None, codes::PARSE_ERROR),
        ("{", None, codes::PARSE_ERROR),
        ("{} {}", None, codes::PARSE_ERROR),
        ("nul", None, codes::PARSE_ERROR),
        ("[]", None, codes::INVALID_REQUEST),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, None, codes::INVALID_REQUEST),
        ("7", None, codes::INVALID_REQUEST),
        ("{}", None, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, number(1), codes::INVALID_REQUEST),
        (r#"{"id":2,"method":"ping"}"#, number(2), codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, None, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, None, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, None, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":3,"method":7}"#, number(3), codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":3,"method":""}"#, number(3), codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":4,"method":"ping","more":1}"#, number(4), codes::INVALID_REQUEST),
        (
            r#"{"jsonrpc":"2.0","id":5,"method":"ping","params":[1]}"#,
            number(5),
            codes::INVALID_PARAMS,
        ),
        (r#"{"jsonrpc":"2.0","id":6,"method":"a","method":"b"}"#, None, codes::INVALID_REQUEST),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"a","params":{"x":1,"x":2}}"#,
            number(7),
            codes::INVALID_REQUEST,
        ),
        (
            r#"{"jsonrpc":"2.0","id":8,"result":{},"error":{"code":1,"message":""}}"#,
            None,
            codes::INVALID_REQUEST,
        ),
        (r#"{"jsonrpc":"2.0","id":8,"result":7}"#, None, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","result":{}}"#, None, codes::INVALID_REQUEST),
        (r#"{"jsonrpc":"2.0","id":9,"method":"a","result":{}}"#, number(9), codes::INVALID_REQUEST),
    ] {
        assert_eq!(refused(text), (id, code), "{text}");
    }
    assert_eq!(parse(b"{\"a\":\"\xff\"}").unwrap_err().error.code, codes::PARSE_ERROR);
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{{\"x\":{}1{}}}}}",
        "[".repeat(64),
        "]".repeat(64)
    );
    assert_eq!(refused(&deep), (Some(Id::Number(1)), codes::INVALID_REQUEST));
    let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"a"}}"#, "i".repeat(257));
    assert_eq!(refused(&long), (None, codes::INVALID_REQUEST));
}

#[test]
fn what_a_message_carries_is_kept_as_it_was_written() {
    let text = r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"x","arguments":{"n":12345678901234567890123,"f":1.0,"u":"\u00e9"}}}"#;
    let Message::Request(read) = parse(text.as_bytes()).unwrap() else { panic!("a request") };
    assert_eq!(read.id, Id::Text("a".to_owned()));
    assert_eq!(request(&read.id, &read.method, &read.params), text);
    let text = r#"{"jsonrpc":"2.0","id":7,"result":{"z":1,"a":[1, 2]}}"#;
    let Message::Response(read) = parse(text.as_bytes()).unwrap() else { panic!("an answer") };
    assert_eq!(response(Some(&read.id), &read.outcome), text);
    let text = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"m","data":{"a":1e3}}}"#;
    let Message::Response(read) = parse(text.as_bytes()).unwrap() else { panic!("an answer") };
    assert_eq!(response(Some(&read.id), &read.outcome), text);
    let text = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let Message::Notification(read) = parse(text.as_bytes()).unwrap() else { panic!("a note") };
    assert_eq!(notification(&read.method, &read.params), text);
}

#[test]
fn what_is_written_is_one_line_and_what_is_read_is_what_is_sent() {
    let text = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[\n{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\r\n]}}";
    let Message::Response(read) = parse(text.as_bytes()).unwrap() else { panic!("an answer") };
    let written = response(Some(&read.id), &read.outcome);
    assert_eq!(written.lines().count(), 1, "{written}");
    for name in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"a","params":{{"arguments":{{"path":{{"{name}":"\"safe\""}}}}}}}}"#
        );
        assert_eq!(refused(&text), (Some(Id::Number(1)), codes::INVALID_REQUEST));
        let escaped = text.replace("$serde", "\\u0024serde");
        assert_eq!(refused(&escaped), (Some(Id::Number(1)), codes::INVALID_REQUEST));
    }
}

#[test]
fn many_names_are_told_apart_as_well_as_few() {
    let members = |last: &str| {
        let many: Vec<String> = (0..100).map(|n| format!("\"k{n}\":0")).collect();
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{{{},\"{last}\":0}}}}",
            many.join(",")
        )
    };
    assert!(parse(members("other").as_bytes()).is_ok());
    for last in ["k0", "k20", "k99"] {
        assert!(parse(members(last).as_bytes()).is_err(), "{last}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_sent_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn nothing_that_looks_like_a_message_makes_it_panic(
        id in "[0-9\"a-z{}\\[\\].-]{0,6}", method in "[\"a-z/]{0,8}", params in "[{}\\[\\]\":,a0-9 ]{0,30}",
    ) {
        let text = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":{method},\"params\":{params}}}");
        let _ = parse(text.as_bytes());
    }
}
