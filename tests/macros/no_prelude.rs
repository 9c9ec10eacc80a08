//! A crate without any prelude, in which even `Option` has to be named by its path.
#![no_implicit_prelude]

#[derive(
    ::core::fmt::Debug,
    ::core::clone::Clone,
    ::serde::Serialize,
    ::serde::Deserialize,
    ::annals::AggregateId,
)]
pub struct LampId(::std::string::String);

#[derive(
    ::core::fmt::Debug,
    ::core::clone::Clone,
    ::serde::Serialize,
    ::serde::Deserialize,
    ::annals::Event,
)]
#[event(version = 4, previous = LitV1, upcast(from = 2, with = same), removed(since = 4, "by"))]
pub struct Lit {
    #[event(since = 4, default = "white")]
    colour: ::std::string::String,
    #[event(since = 4)]
    lumens: ::core::option::Option<u32>,
}

/// The first shape of the event.
#[derive(
    ::core::fmt::Debug,
    ::core::clone::Clone,
    ::serde::Serialize,
    ::serde::Deserialize,
    ::annals::Event,
)]
#[event(name = "Lit")]
pub struct LitV1;

impl ::core::convert::From<LitV1> for Lit {
    fn from(_: LitV1) -> Self {
        Self { colour: ::core::convert::From::from("red"), lumens: ::core::option::Option::None }
    }
}

fn same(old: ::serde_json::Value) -> ::serde_json::Value {
    old
}

#[derive(
    ::core::fmt::Debug,
    ::core::clone::Clone,
    ::serde::Serialize,
    ::serde::Deserialize,
    ::annals::Command,
)]
pub struct Light {
    #[command(id)]
    pub lamp: LampId,
}

#[derive(
    ::core::fmt::Debug,
    ::core::clone::Clone,
    ::serde::Serialize,
    ::serde::Deserialize,
    ::annals::Aggregate,
)]
#[aggregate(id = LampId, events(Lit), snapshot())]
pub enum Lamp {
    Burns,
}

#[::annals::handlers]
impl Lamp {
    #[handle(upsert)]
    fn light(_: ::core::option::Option<&Self>, _: Light) -> Lit {
        white()
    }

    #[apply(upsert)]
    fn lit(_: ::core::option::Option<Self>, _: &Lit) -> Self {
        Self::Burns
    }
}

fn white() -> Lit {
    Lit { colour: ::core::convert::From::from("white"), lumens: ::core::option::Option::None }
}

#[test]
fn a_lamp_burns() {
    let id = <LampId as ::core::convert::From<&str>>::from("hall");
    ::core::assert_eq!(::std::string::ToString::to_string(&id), "hall");
    let event = <LampEvent as ::core::convert::From<Lit>>::from(white());
    ::core::assert_eq!(event.event_type(), "Lit");
    for (version, json, colour) in
        [(1, "null", "red"), (2, "{}", "white"), (3, r#"{"by":1}"#, "white")]
    {
        let stored = ::annals::Stored::new("Lit", version, json);
        let ::core::result::Result::Ok(lit) = <Lit as ::annals::Event>::decode(stored) else {
            ::core::panic!("version {version}")
        };
        ::core::assert_eq!(lit.colour, colour);
    }
}
