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
pub struct Lit;

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
        Lit
    }

    #[apply(upsert)]
    fn lit(_: ::core::option::Option<Self>, _: &Lit) -> Self {
        Self::Burns
    }
}

#[test]
fn a_lamp_burns() {
    let id = <LampId as ::core::convert::From<&str>>::from("hall");
    ::core::assert_eq!(::std::string::ToString::to_string(&id), "hall");
    let event = <LampEvent as ::core::convert::From<Lit>>::from(Lit);
    ::core::assert_eq!(event.event_type(), "Lit");
}
