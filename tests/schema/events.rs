//! Events whose shape changed while their version did not, and events that are gone.

use annals::prelude::*;
use annals_testing::schema::{FindingKind, Schema};
use serde::{Deserialize, Serialize};

use crate::{check, check_adds};

/// An event `Placed` of one release: its fields, and what its attribute says beside the name.
macro_rules! placed {
    ($module:ident [$($option:tt)*] { $($field:tt)* }) => {
        pub mod $module {
            use super::*;

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            #[event(name = "Placed", $($option)*)]
            pub struct Placed {
                $($field)*
            }
        }
    };
}

placed!(plain [] { pub order: String });
placed!(two [] { pub order: String, pub addr: String });
placed!(added [] { pub order: String, pub currency: String });
placed!(added_option [] { pub order: String, pub coupon: Option<String> });
placed!(added_default [] { pub order: String, #[serde(default)] pub gift: bool });
placed!(renamed [] { pub order: String, pub address: String });
placed!(retyped [] { pub order: u64 });
placed!(widened_from [] { pub order: u32 });
placed!(widened [] { pub order: u64 });
placed!(marked [version = 2] { pub order: String, #[event(since = 2, default = "EUR")] pub currency: String });

fn one<E: Event>() -> Schema {
    Schema::new().with_event::<E>()
}

#[test]
fn a_field_added() {
    check(
        &one::<plain::Placed>(),
        &one::<added::Placed>(),
        FindingKind::ShapeChanged,
        "event `Placed`: its shape changed, and its version is still 1
    changed: `$.currency` is new, and has to be there: string
    breaks:  {\"order\":\"a\"} does not read: Placed: missing field `currency` at line 1 column 13
    write:   #[event(version = 2)] on `Placed`
             #[event(since = 2, default = …)] on the field `currency`",
    );
}

#[test]
fn what_the_message_says_to_write_is_accepted() {
    check_adds(
        &one::<plain::Placed>(),
        &one::<marked::Placed>(),
        &["event `Placed`: its version 2"],
    );
}

#[test]
fn an_optional_field_added() {
    check(
        &one::<plain::Placed>(),
        &one::<added_option::Placed>(),
        FindingKind::ShapeChanged,
        "event `Placed`: its shape changed, and its version is still 1
    changed: `$.coupon` is new, and need not be there: {\"option\":\"string\"}
    breaks:  nothing that is kept here, but version 1 now stands for two shapes, and the release before does not know the new one
    write:   #[event(version = 2)] on `Placed`
             #[event(since = 2)] on the field `coupon`",
    );
    check(
        &one::<plain::Placed>(),
        &one::<added_default::Placed>(),
        FindingKind::ShapeChanged,
        "event `Placed`: its shape changed, and its version is still 1
    changed: `$.gift` is new, and need not be there: bool
    breaks:  nothing that is kept here, but version 1 now stands for two shapes, and the release before does not know the new one
    write:   #[event(version = 2, upcast(from = 1))] on `Placed`",
    );
}

#[test]
fn a_field_dropped() {
    check(
        &one::<two::Placed>(),
        &one::<plain::Placed>(),
        FindingKind::ShapeChanged,
        "event `Placed`: its shape changed, and its version is still 1
    changed: `$.addr` is gone
    breaks:  nothing that is kept here, but version 1 now stands for two shapes, and the release before does not know the new one
    write:   #[event(version = 2, removed(since = 2, \"addr\"))] on `Placed`",
    );
}

#[test]
fn a_field_renamed() {
    check(
        &one::<two::Placed>(),
        &one::<renamed::Placed>(),
        FindingKind::ShapeChanged,
        "event `Placed`: its shape changed, and its version is still 1
    changed: `$.addr` is gone, `$.address` of the same shape is new
    breaks:  {\"addr\":\"a\",\"order\":\"a\"} does not read: Placed: missing field `address` at line 1 column 24
    write:   #[event(version = 2)] on `Placed`
             #[event(since = 2, renamed_from = \"addr\")] on the field `address`",
    );
}

#[test]
fn a_field_retyped() {
    check(
        &one::<plain::Placed>(),
        &one::<retyped::Placed>(),
        FindingKind::ShapeChanged,
        "event `Placed`: its shape changed, and its version is still 1
    changed: `$.order` was string, is u64
    breaks:  {\"order\":\"a\"} does not read: Placed: invalid type: string \"a\", expected u64 at line 1 column 12
    write:   #[event(version = 2)] on `Placed`
             #[event(since = 2, convert_with = path::to::a_function)] on the field `order`",
    );
}

#[test]
fn a_field_widened_reads_as_it_is() {
    check(
        &one::<widened_from::Placed>(),
        &one::<widened::Placed>(),
        FindingKind::ShapeChanged,
        "event `Placed`: its shape changed, and its version is still 1
    changed: `$.order` was u32, is u64
    breaks:  nothing that is kept here, but version 1 now stands for two shapes, and the release before does not know the new one
    write:   #[event(version = 2, upcast(from = 1))] on `Placed`",
    );
}

#[test]
fn a_field_that_became_required() {
    check(
        &one::<added_default::Placed>(),
        &one::<gift_required::Placed>(),
        FindingKind::ShapeChanged,
        "event `Placed`: its shape changed, and its version is still 1
    changed: `$.gift` has to be there, and need not before
    breaks:  {\"order\":\"a\"} does not read: Placed: missing field `gift` at line 1 column 13
    write:   #[event(version = 2)] on `Placed`
             #[event(since = 2, default = …)] on the field `gift`",
    );
    check(
        &one::<added_option::Placed>(),
        &one::<coupon_required::Placed>(),
        FindingKind::ShapeChanged,
        "event `Placed`: its shape changed, and its version is still 1
    changed: `$.coupon` has to be there, and need not before
             `$.coupon` was {\"option\":\"string\"}, is string
    breaks:  {\"order\":\"a\"} does not read: Placed: missing field `coupon` at line 1 column 13
    write:   #[event(version = 2)] on `Placed`
             #[event(since = 2, convert_with = path::to::a_function, default = …)] on the field `coupon`",
    );
}

#[test]
fn what_is_written_for_a_field_that_became_required_is_accepted() {
    let added = &["event `Placed`: its version 2"];
    check_adds(&one::<added_default::Placed>(), &one::<gift_marked::Placed>(), added);
    check_adds(&one::<added_option::Placed>(), &one::<coupon_marked::Placed>(), added);
}

placed!(gift_required [] { pub order: String, pub gift: bool });
placed!(gift_marked [version = 2] {
    pub order: String,
    #[event(since = 2, default = false)]
    pub gift: bool,
});
placed!(coupon_required [] { pub order: String, pub coupon: String });
placed!(coupon_marked [version = 2] {
    pub order: String,
    #[event(since = 2, convert_with = or_none, default = "none")]
    pub coupon: String,
});

fn or_none(coupon: Option<String>) -> String {
    coupon.unwrap_or_else(|| "none".to_owned())
}

mod nested {
    use super::*;

    macro_rules! shipped {
        ($module:ident { $($variant:tt)* } $line:ident) => {
            pub mod $module {
                use super::*;

                #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
                pub enum Carrier {
                    $($variant)*
                }

                #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
                pub struct Line {
                    pub $line: String,
                }

                #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
                #[event(name = "Shipped")]
                pub struct Shipped {
                    pub by: Option<Carrier>,
                    pub lines: Vec<Line>,
                }
            }
        };
    }

    shipped!(before { Post, Courier { number: u32 } } sku);
    shipped!(variant_gone { Courier { number: u32 } } sku);
    shipped!(variant_new { Post, Pigeon, Courier { number: u32 } } sku);
    shipped!(deep { Post, Courier { number: String } } ean);
}

#[test]
fn a_nested_change() {
    check(
        &one::<nested::before::Shipped>(),
        &one::<nested::variant_gone::Shipped>(),
        FindingKind::ShapeChanged,
        "event `Shipped`: its shape changed, and its version is still 1
    changed: variant `$.by.Post` is gone
    breaks:  {\"by\":\"Post\",\"lines\":[{\"sku\":\"a\"}]} does not read: Shipped: unknown variant `Post`, expected `Courier` at line 1 column 12
    write:   #[event(version = 2)] on `Shipped`
             #[event(since = 2, convert_with = path::to::a_function)] on the field `by`",
    );
    check(
        &one::<nested::before::Shipped>(),
        &one::<nested::variant_new::Shipped>(),
        FindingKind::ShapeChanged,
        "event `Shipped`: its shape changed, and its version is still 1
    changed: variant `$.by.Pigeon` is new
    breaks:  nothing that is kept here, but version 1 now stands for two shapes, and the release before does not know the new one
    write:   #[event(version = 2, upcast(from = 1))] on `Shipped`",
    );
    check(
        &one::<nested::before::Shipped>(),
        &one::<nested::deep::Shipped>(),
        FindingKind::ShapeChanged,
        "event `Shipped`: its shape changed, and its version is still 1
    changed: `$.by.Courier.number` was u32, is string
             `$.lines[].sku` is gone, `$.lines[].ean` of the same shape is new
    breaks:  {\"by\":\"Post\",\"lines\":[{\"sku\":\"a\"}]} does not read: Shipped: missing field `ean` at line 1 column 33
    write:   #[event(version = 2)] on `Shipped`
             #[event(since = 2, convert_with = path::to::a_function)] on the field `by`
             #[event(since = 2, convert_with = path::to::a_function)] on the field `lines`",
    );
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct OrderPlaced {
    order: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct OrderSubmitted {
    order: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(alias = "OrderPlaced")]
struct OrderAccepted {
    order: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(alias = "OrderPlaced")]
struct AlsoAccepted {
    order: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "OrderAccepted")]
struct WithoutTheAlias {
    order: String,
}

#[test]
fn a_struct_renamed_without_pinning_the_stored_name() {
    check(
        &one::<OrderPlaced>(),
        &one::<OrderSubmitted>(),
        FindingKind::EventRenamed,
        "event `OrderPlaced` is not there any more; `schema::events::OrderSubmitted` looks like it
    changed: the stored name was `OrderPlaced`, is `OrderSubmitted`
    breaks:  events stored as `OrderPlaced` do not read
    write:   #[event(name = \"OrderPlaced\")] on `OrderSubmitted`",
    );
}

#[test]
fn an_event_renamed_with_an_alias_goes_on_reading_its_samples() {
    check_adds(&one::<OrderPlaced>(), &one::<OrderAccepted>(), &["event `OrderAccepted`"]);
    let kept = one::<OrderAccepted>().held_against(&one::<OrderPlaced>().to_file()).accepted;
    assert_eq!(kept.events.keys().collect::<Vec<_>>(), ["OrderAccepted", "OrderPlaced"]);
    let found = one::<WithoutTheAlias>().held_against(&kept);
    let kinds: Vec<_> = found.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::AliasVanished, FindingKind::EventVanished]);
}

#[test]
fn an_alias_that_is_gone() {
    check(
        &one::<OrderAccepted>(),
        &one::<WithoutTheAlias>(),
        FindingKind::AliasVanished,
        "event `OrderAccepted`: its alias `OrderPlaced` is gone
    breaks:  events stored as `OrderPlaced` stop each reader
    write:   #[event(alias = \"OrderPlaced\")] on `WithoutTheAlias`",
    );
}

#[test]
fn an_event_that_is_gone() {
    check(
        &one::<OrderPlaced>(),
        &Schema::new(),
        FindingKind::EventVanished,
        "event `OrderPlaced` is not there any more
    breaks:  events stored as `OrderPlaced` stop each reader
    write:   the event again, with #[event(name = \"OrderPlaced\", version = 1, retired)] if nothing returns it any more
             or #[event(alias = \"OrderPlaced\", version = 1)] on the event that took its place, with the steps if its shape is another",
    );
}

#[test]
fn one_stored_name_for_two() {
    let one_name = Schema::new().with_event::<plain::Placed>().with_event::<two::Placed>();
    let comparison = one_name.held_against(&one::<plain::Placed>().to_file());
    assert_eq!(
        comparison.findings[0].to_string(),
        "the stored event name `Placed` stands for both `schema::events::plain::Placed` and `schema::events::two::Placed`
    breaks:  what is stored as `Placed` may be read as either
    write:   #[event(name = \"…\")] on the one that was stored under another name"
    );
    let alias_and_name = Schema::new().with_event::<OrderPlaced>().with_event::<OrderAccepted>();
    let comparison = alias_and_name.held_against(&alias_and_name.to_file());
    assert_eq!(
        comparison.to_string(),
        "the stored event name `OrderPlaced` stands for both `schema::events::OrderAccepted` and `schema::events::OrderPlaced`
    breaks:  what is stored as `OrderPlaced` may be read as either
    write:   #[event(…)] without `alias = \"OrderPlaced\"` on `OrderAccepted`
             or #[event(name = \"…\")] on `OrderPlaced`, if it was stored under another name"
    );
    let aliases = Schema::new().with_event::<OrderAccepted>().with_event::<AlsoAccepted>();
    let comparison = aliases.held_against(&aliases.to_file());
    assert_eq!(
        comparison.findings[0].write,
        [
            "#[event(…)] without `alias = \"OrderPlaced\"` on one of `AlsoAccepted` and `OrderAccepted`"
        ]
    );
    assert_eq!(comparison.findings.len(), 1, "{comparison}");
    assert_eq!(comparison.findings[0].kind, FindingKind::NameClash);
}

#[test]
fn all_is_told_at_once() {
    let before = one::<plain::Placed>().with_event::<OrderPlaced>();
    let comparison = one::<retyped::Placed>().held_against(&before.to_file());
    let kinds: Vec<_> = comparison.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::EventVanished, FindingKind::ShapeChanged]);
}
