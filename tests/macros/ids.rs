//! Ids over text, integers and UUIDs, named and unnamed.

use annals::ToId;
use annals::prelude::*;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, AggregateId)]
struct ByText(String);

#[derive(Debug, Clone, PartialEq, AggregateId)]
struct ByNumber {
    number: i64,
}

#[derive(Debug, Clone, PartialEq, AggregateId)]
struct ByUuid(Uuid);

type Text = String;

#[derive(Debug, Clone, PartialEq, AggregateId)]
struct ByAlias(Text);

#[derive(Debug, Clone, PartialEq, AggregateId)]
struct ById(ByNumber);

fn check<Id, Inner>(text: &str, inner: Inner)
where
    Id: AggregateId
        + From<Inner>
        + PartialEq
        + std::fmt::Debug
        + std::str::FromStr<Err: std::fmt::Debug>,
    Inner: From<Id> + ToId<Id> + Clone + PartialEq + std::fmt::Debug,
    str: ToId<Id>,
{
    let id = Id::from(inner.clone());
    assert_eq!(id.to_string(), text);
    assert_eq!(text.parse::<Id>().unwrap(), id);
    assert_eq!(text.to_id().as_ref(), Ok(&id));
    assert_eq!(inner.to_id().as_ref(), Ok(&id));
    assert_eq!(Inner::from(id), inner);
}

#[test]
fn each_reads_as_it_writes() {
    check::<ByText, _>("ada", String::from("ada"));
    check::<ByAlias, _>("ada", String::from("ada"));
    check::<ByNumber, _>("-7", -7);
    check::<ById, _>("-7", ByNumber { number: -7 });
    check::<ByUuid, _>("00000000-0000-0000-0000-000000000000", Uuid::nil());
}

#[test]
fn what_has_it_is_made_from_a_text_outright() {
    assert_eq!(ByText::from("ada"), ByText("ada".into()));
    assert_eq!(ByAlias::from("ada"), ByAlias("ada".into()));
}

#[test]
fn a_text_that_is_no_id_says_why() {
    let error = ToId::<ByNumber>::to_id("seven").unwrap_err();
    assert_eq!(error.to_string(), "`seven` is not an id: invalid digit found in string");
    let error: std::num::ParseIntError = "seven".parse::<ByNumber>().unwrap_err();
    assert_eq!(error.to_string(), "invalid digit found in string");
}
