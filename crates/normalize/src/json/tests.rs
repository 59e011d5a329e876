use super::*;

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Row<'a> {
    #[serde(borrow)]
    text: Str<'a>,
    number: Num,
    whole: Int,
    flag: Flag,
    #[serde(borrow)]
    time: Time<'a>,
    #[serde(borrow)]
    list: Many<Str<'a>>,
    #[serde(borrow)]
    object: Obj<Inner<'a>>,
    #[serde(borrow)]
    open: Pairs<'a>,
}

#[derive(Debug, Deserialize, Default, PartialEq)]
#[serde(default)]
struct Inner<'a> {
    #[serde(borrow)]
    a: Str<'a>,
}

#[test]
fn vendors_may_write_what_they_like() {
    let row: Row<'_> = from_str(
        r#"{"text":12.5,"number":"3.5","whole":"7","flag":"true","time":1694769302,"list":"one","object":[],
           "open":{"a":1,"b":{"c":2},"d":null,"e":"x"}}"#,
    )
    .expect("decoded");
    assert_eq!(&*row.text, "12.5");
    assert_eq!((row.number.0, row.whole.0, row.flag.0), (Some(3.5), Some(7), Some(true)));
    assert_eq!(row.time.at(), Some(EventTime::from_millis(1_694_769_302_000)));
    assert_eq!(row.list.len(), 1);
    assert_eq!(row.object.a.some(), None);
    assert_eq!(row.open.0, vec![("a".into(), "1".into()), ("e".into(), "x".into())]);
}

#[test]
fn unescaped_text_is_borrowed() {
    let text = r#"{"text":"plain","object":{"a":"b\n"}}"#;
    let row: Row<'_> = from_str(text).expect("decoded");
    assert!(matches!(row.text.0, Cow::Borrowed("plain")));
    assert!(matches!(&row.object.a.0, Cow::Owned(value) if value == "b\n"));
}

#[test]
fn wrong_shapes_read_as_absent() {
    for value in ["null", "{}", "[]", "[1]", r#"{"x":1}"#] {
        let text = format!(r#"{{"text":{value},"number":{value},"whole":{value},"flag":{value},"object":{value}}}"#);
        let row: Row<'_> = from_str(&text).expect("decoded");
        assert_eq!((&*row.text, row.number.0, row.whole.0, row.flag.0), ("", None, None, None));
    }
}

#[derive(Debug, Deserialize)]
struct Strict {
    #[allow(dead_code)]
    inner: StrictInner,
}
#[derive(Debug, Deserialize)]
struct StrictInner {
    #[allow(dead_code)]
    score: f64,
}

#[test]
fn what_does_not_fit_is_named_by_its_path() {
    let check = |text: &str, reason, field: &str| {
        let rejection = from_str::<Strict>(text).expect_err(text);
        assert_eq!((rejection.reason, rejection.field.as_ref()), (reason, field), "{text}");
    };
    check(r#"{"inner":{"score":"x"}}"#, RejectionReason::InvalidField, "inner.score");
    check(r#"{"inner":{"score":1e999}}"#, RejectionReason::InvalidField, "inner.score");
    check(r#"{"inner":{}}"#, RejectionReason::MissingField, "inner");
    check(r#"{"inner":{"score":NaN}}"#, RejectionReason::Undecodable, "");
    check(r#"{"inner":{"score":1}} x"#, RejectionReason::Undecodable, "");
    check(r#"{"inner":{"score":"x"}} // why"#, RejectionReason::Undecodable, "");
    check(r#"{"inner":"#, RejectionReason::Undecodable, "");
}
