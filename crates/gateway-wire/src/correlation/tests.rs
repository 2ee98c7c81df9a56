//! What becomes of a request's text, and which messages are answers.

use gateway_core::JsonRule;
use proptest::prelude::*;
use serde_json::Value;

use super::place::Place;
use super::{CorrelationError, Correlator, JsonCorrelator};
use crate::message::Message;

fn correlator(pointer: &str) -> JsonCorrelator {
    JsonCorrelator::new(pointer).unwrap()
}

fn rule(text: &str) -> JsonRule {
    JsonRule::parse(text).unwrap()
}

fn attach(pointer: &str, text: &str) -> Result<String, CorrelationError> {
    let attached = correlator(pointer).attach(7, &text.into())?;
    Ok(attached.as_text().unwrap().to_owned())
}

fn no_place(pointer: &str) -> CorrelationError {
    CorrelationError::NoPlace { pointer: pointer.to_owned() }
}

#[test]
fn a_missing_id_becomes_the_first_member_of_its_object() {
    for (pointer, text, expected) in [
        ("/id", r#"{}"#, r#"{"id":7}"#),
        ("/id", r#" { } "#, r#" {"id":7 } "#),
        ("/id", r#"{"a":1}"#, r#"{"id":7,"a":1}"#),
        ("/id", "{\n\t\"a\" : 1.50 }\r\n", "{\"id\":7,\n\t\"a\" : 1.50 }\r\n"),
        ("/", r#"{"a":1}"#, r#"{"":7,"a":1}"#),
        ("/a~1b~0", r#"{"a":1}"#, r#"{"a/b~":7,"a":1}"#),
        ("/é\"\\\n", r#"{"a":1}"#, r#"{"é\"\\\n":7,"a":1}"#),
        ("/p/id", r#"{"id":1,"p":{"x":2}}"#, r#"{"id":1,"p":{"id":7,"x":2}}"#),
        ("/p/id", r#"{"\u0070":{"ID":1}}"#, r#"{"\u0070":{"id":7,"ID":1}}"#),
        ("/p/1/id", r#"{"p":[{},{},{}]}"#, r#"{"p":[{},{"id":7},{}]}"#),
        ("/p/id", r#"{"p":1,"p":{}}"#, r#"{"p":1,"p":{"id":7}}"#),
        ("/p/id", r#"{"p":{"id":1},"p":{}}"#, r#"{"p":{"id":1},"p":{"id":7}}"#),
    ] {
        assert_eq!(attach(pointer, text).unwrap(), expected, "{pointer} {text}");
    }
}

#[test]
fn the_id_replaces_a_value_of_any_kind() {
    for value in ["0", "-1.5e+3", "null", "true", r#""a\"}\u00e9""#, "[[],[{}]]", r#"{"id":[1]}"#] {
        for (before, after) in [("", ""), (" ", "\n")] {
            let text = |value| format!(r#"{{"a":[1,2],"id":{before}{value}{after},"b":"}}"}}"#);
            let in_list = |value| format!(r#"[0,{before}{value}{after},"]"]"#);

            assert_eq!(attach("/id", &text(value)).unwrap(), text("7"));
            assert_eq!(attach("/1", &in_list(value)).unwrap(), in_list("7"));
        }
    }
    let last = attach("/id", r#"{"id":1,"i\u0064":2,"x":3}"#);
    assert_eq!(last.unwrap(), r#"{"id":1,"i\u0064":7,"x":3}"#, "of two names the last counts");
}

#[test]
fn a_request_without_a_place_for_an_id_is_refused() {
    for (pointer, text) in [
        ("/id", "1"),
        ("/id", r#""id""#),
        ("/id", "[1]"),
        ("/0", "[]"),
        ("/1", "[1]"),
        ("/00", "[1]"),
        ("/-", "[1]"),
        ("/p/id", "{}"),
        ("/p/id", r#"{"p":null}"#),
        ("/p/id", r#"{"p":{},"p":1}"#),
        ("/p/q/id", r#"{"p":{"id":1}}"#),
        ("/p~1q/id", r#"{"p":{"q":{}}}"#),
    ] {
        assert_eq!(attach(pointer, text), Err(no_place(pointer)), "{pointer} {text}");
    }
}

#[test]
fn a_request_that_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "x",
        "{",
        "{]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\":1]",
        "{\"a\":1 \"b\":2}",
        "{\"a\":01}",
        "{\"a\":1x}",
        "{\"a\":1} x",
        "{a:1}",
        "{1:1}",
        "{\"a",
        "{\"a\n\":1}",
        "{\"\\x\":1}",
        "{\"\\",
        "{\"a\":[1,]}",
        "{\"id\":[1,]}",
        "{\"id\":}",
        "\u{feff}{}",
        "{\u{a0}}",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[1 2]",
        "[1}",
    ] {
        for pointer in ["/id", "/a", "/0", "/1", "/a/b"] {
            assert_eq!(attach(pointer, text), Err(CorrelationError::NotJson), "{pointer} {text}");
        }
    }
}

#[test]
fn an_error_names_the_pointer_and_never_shows_the_request() {
    let binary = correlator("/id").attach(7, &Message::binary("{}"));

    assert_eq!(binary, Err(CorrelationError::Binary));
    for text in ["hunter2", r#"{"p":"hunter2"}"#] {
        let error = attach("/p/id", text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    assert!(no_place("/p/id").to_string().contains("/p/id"));
}

#[test]
fn an_answer_has_a_whole_number_or_its_digits() {
    for (id, expected) in [
        ("7", Some(7)),
        ("0", Some(0)),
        ("18446744073709551615", Some(u64::MAX)),
        (r#""7""#, Some(7)),
        (r#""\u0037""#, Some(7)),
        (r#""0""#, Some(0)),
        (r#""18446744073709551615""#, Some(u64::MAX)),
        ("-7", None),
        ("7.0", None),
        ("7e0", None),
        ("18446744073709551616", None),
        ("null", None),
        ("true", None),
        ("[7]", None),
        (r#"{"id":7}"#, None),
        (r#""""#, None),
        (r#""07""#, None),
        (r#""00""#, None),
        (r#""+7""#, None),
        (r#""-7""#, None),
        (r#"" 7""#, None),
        (r#""7a""#, None),
        (r#""18446744073709551616""#, None),
    ] {
        let message = format!(r#"{{"a":{{"id":9}},"id":{id}}}"#);
        assert_eq!(correlator("/id").answered(&message.into()), expected, "{id}");
    }
}

#[test]
fn only_a_whole_text_is_an_answer_and_of_two_ids_the_last_counts() {
    let mut correlator = correlator("/id");
    for (text, expected) in [
        (r#"{"id":1,"id":7}"#, Some(7)),
        (r#"{"id":7,"id":null}"#, None),
        (r#"{"id":[1,{}],"id":7}"#, Some(7)),
        (r#"{"id":{"id":[]},"id":7}"#, Some(7)),
        (r#"{"id":7"#, None),
        (r#"{"id":7} x"#, None),
        ("{}", None),
        ("[7]", None),
    ] {
        assert_eq!(correlator.answered(&text.into()), expected, "{text}");
    }
    assert_eq!(correlator.answered(&Message::binary(r#"{"id":7}"#)), None);
}

#[test]
fn answers_can_have_another_pointer_than_requests() {
    let mut correlator = correlator("/id").answer("/reply_to").unwrap();

    assert_eq!(correlator.attach(7, &"{}".into()), Ok(r#"{"id":7}"#.into()));
    assert_eq!(correlator.answered(&r#"{"id":1,"reply_to":7}"#.into()), Some(7));
    assert_eq!(correlator.answered(&r#"{"id":7}"#.into()), None);
    let mut whole = correlator.answer("").unwrap();
    assert_eq!(whole.answered(&" 7 ".into()), Some(7));
}

#[test]
fn rules_say_which_messages_are_answers() {
    let mut correlator = correlator("/id")
        .only(rule("/type=result"))
        .only(rule("/type=pong"))
        .except(rule("/ack=true"));
    for (text, expected) in [
        (r#"{"id":7,"type":"result"}"#, Some(7)),
        (r#"{"id":7,"type":"pong","ack":false}"#, Some(7)),
        (r#"{"id":7,"type":"event"}"#, None),
        (r#"{"id":7}"#, None),
        (r#"{"id":7,"type":"result","ack":true}"#, None),
    ] {
        assert_eq!(correlator.answered(&text.into()), expected, "{text}");
    }
    let mut janus = self::correlator("/transaction").except(rule("/janus=ack"));
    assert_eq!(janus.answered(&r#"{"janus":"ack","transaction":"7"}"#.into()), None);
    assert_eq!(janus.answered(&r#"{"janus":"event","transaction":"7"}"#.into()), Some(7));
}

#[test]
fn the_greatest_id_can_be_set_and_is_at_least_one() {
    struct Numbered;
    impl Correlator for Numbered {
        fn attach(&mut self, _: u64, request: &Message) -> Result<Message, CorrelationError> {
            Ok(request.clone())
        }

        fn answered(&mut self, _: &Message) -> Option<u64> {
            None
        }
    }

    assert_eq!(Numbered.greatest_id(), 9_007_199_254_740_991);
    assert_eq!(correlator("/id").greatest_id(), 9_007_199_254_740_991);
    assert_eq!(correlator("/id").greatest(65_535).greatest_id(), 65_535);
    assert_eq!(correlator("/id").greatest(0).greatest_id(), 1);
}

#[test]
fn an_id_of_any_length_is_written_as_number_or_text() {
    for id in [0, 9, 10, 99, 100, 9_007_199_254_740_991, u64::MAX] {
        let number = correlator("/id").attach(id, &"{}".into()).unwrap();
        let text = correlator("/id").text_ids().attach(id, &r#"{"id":1}"#.into()).unwrap();

        assert_eq!(number.as_text(), Some(&*format!(r#"{{"id":{id}}}"#)));
        assert_eq!(text.as_text(), Some(&*format!(r#"{{"id":"{id}"}}"#)));
    }
}

#[test]
fn a_request_with_its_id_has_no_spare_capacity() {
    let member = Place::Member { at: 1, is_only: false };
    for id in [0, 9, 10, u64::MAX] {
        for correlator in [correlator("/id"), correlator("/id").text_ids()] {
            let inserted = correlator.splice(r#"{"a":1}"#, member.clone(), id);
            let replaced = correlator.splice(r#"{"id":null}"#, Place::Value(6..10), id);

            assert_eq!(inserted.capacity(), inserted.len(), "{inserted}");
            assert_eq!(replaced.capacity(), replaced.len(), "{replaced}");
        }
    }
}

#[test]
fn a_pointer_is_checked_when_it_is_set() {
    let deepest = "/a".repeat(JsonCorrelator::DEEPEST);
    for (pointer, part) in [
        ("", "must not be empty"),
        ("id", "starts with /"),
        ("/a~", "~0"),
        ("/~2/b", "~0"),
        (&*format!("{deepest}/a"), "at most 100"),
    ] {
        let error = JsonCorrelator::new(pointer).unwrap_err();
        assert_eq!((error.field(), error.value()), ("requests.id", pointer));
        assert!(error.limit().contains(part), "{error}");
        if !pointer.is_empty() {
            let error = correlator("/id").answer(pointer).unwrap_err();
            assert_eq!((error.field(), error.value()), ("requests.answer", pointer));
        }
    }
    assert!(JsonCorrelator::new(deepest).is_ok());
}

#[test]
fn the_deepest_pointer_finds_its_id_again() {
    let most = JsonCorrelator::DEEPEST;
    let mut correlator = correlator(&"/a".repeat(most));
    let request = ["{\"a\":".repeat(most - 1), "{}".into(), "}".repeat(most - 1)].concat();

    let attached = correlator.attach(7, &request.into()).unwrap();

    assert_eq!(correlator.answered(&attached), Some(7));
}

#[test]
fn deep_nesting_beside_the_id_does_not_overflow_the_stack() {
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let text = |id| format!(r#"{{"a":{deep},"id":{id}}}"#);

    assert_eq!(attach("/id", &text("0")).unwrap(), text("7"));
    assert_eq!(correlator("/id").answered(&text("7").into()), Some(7));
}

/// JSON texts with white space, escapes, all spellings of numbers, and names that occur twice.
fn json() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec![
        "null",
        "true",
        "7",
        "-0",
        "1.50",
        "2E+3",
        "\"\"",
        "\"é\\u00e9\\n\"",
        "\"{\\\"id\\\":[\"",
    ]);
    scalar.prop_map(String::from).prop_recursive(4, 32, 4, |inner| {
        let item =
            (space(), inner, space()).prop_map(|(a, value, b)| format!("{a}{value}{b}")).boxed();
        let member = (space(), name(), space(), item.clone())
            .prop_map(|(a, name, b, value)| format!("{a}\"{name}\"{b}:{value}"));
        prop_oneof![
            (space(), prop::collection::vec(item, 0..4))
                .prop_map(|(space, items)| { format!("[{space}{}]", items.join(",")) }),
            (space(), prop::collection::vec(member, 0..4))
                .prop_map(|(space, members)| { format!("{{{space}{}}}", members.join(",")) }),
        ]
    })
}

/// The same names in several spellings, so that an object often has a name twice.
fn name() -> impl Strategy<Value = &'static str> {
    let names = ["a", "\\u0061", "a/~", "a\\/~", "é", "\\u00e9", "", "0", "1"];
    prop::sample::select(names.to_vec())
}

fn space() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "", " ", "\n\t"])
}

/// Pointers, most of which lead somewhere in such a text.
fn pointer() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec!["a", "a~1~0", "é", "", "0", "1", "01"]);
    prop::collection::vec(token, 1..4)
        .prop_map(|tokens| tokens.iter().flat_map(|token| ["/", token]).collect())
}

/// What the request must be, from the whole document in memory.
fn expected(text: &str, pointer: &str, id: &Value) -> Option<Value> {
    let mut document: Value = serde_json::from_str(text).unwrap();
    if let Some(value) = document.pointer_mut(pointer) {
        *value = id.clone();
        return Some(document);
    }
    let (parent, token) = pointer.rsplit_once('/').unwrap();
    let name = token.replace("~1", "/").replace("~0", "~");
    document.pointer_mut(parent)?.as_object_mut()?.insert(name, id.clone());
    Some(document)
}

/// Whether `new` is `old` with `written` in place of one value, or of nothing.
fn is_spliced(old: &str, new: &str, written: &str) -> bool {
    new.match_indices(written).any(|(start, _)| {
        let (before, after) = (&new[..start], &new[start + written.len()..]);
        let replaced = old.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        replaced.is_some_and(|value| {
            value.is_empty()
                || serde_json::from_str::<Value>(value).is_ok() && value.trim() == value
        })
    })
}

proptest! {
    #[test]
    fn the_id_is_the_only_change_and_is_found_again(
        text in json(), pointer in pointer(), id in any::<u64>(), as_text in any::<bool>(),
    ) {
        let mut correlator = correlator(&pointer);
        let mut value = Value::from(id);
        if as_text {
            correlator = correlator.text_ids();
            value = Value::from(id.to_string());
        }

        let attached = correlator.attach(id, &text.as_str().into());

        let Some(expected) = expected(&text, &pointer, &value) else {
            prop_assert_eq!(attached, Err(no_place(&pointer)));
            return Ok(());
        };
        let attached = attached.unwrap();
        let new = attached.as_text().unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(new).unwrap(), expected, "{}", new);
        let member = format!("{}{value}", correlator.name);
        let forms = [value.to_string(), format!("{member},"), member];
        let is_spliced = forms.iter().any(|written| is_spliced(&text, new, written));
        prop_assert!(is_spliced, "{} became {}", text, new);
        prop_assert_eq!(correlator.answered(&attached), Some(id), "{}", new);
    }

    #[test]
    fn a_text_is_refused_where_it_is_not_json(
        text in json(), cut in any::<prop::sample::Index>(),
        extra in "[\\[\\]{},:\"\\\\a0 -]{0,2}", pointer in pointer(),
    ) {
        let mut at = cut.index(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let broken = [&text[..at], &extra, text[at..].get(1..).unwrap_or("")].concat();
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&broken).is_ok();

        let attached = correlator(&pointer).attach(7, &broken.as_str().into());

        prop_assert_eq!(attached != Err(CorrelationError::NotJson), is_json, "{}", broken);
    }
}
