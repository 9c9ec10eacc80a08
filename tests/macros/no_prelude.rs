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

#[derive(::core::clone::Clone, ::annals::ColumnType)]
pub enum Glow {
    Dim,
    Bright,
}

#[derive(::core::clone::Clone, ::annals::ReadModel)]
#[read_model(table = "burning_lamps")]
pub struct BurningLamp {
    #[read_model(key)]
    lamp: LampId,
    #[read_model(key)]
    glow: Glow,
    #[read_model(index)]
    lumens: ::core::option::Option<u32>,
    #[read_model(json)]
    colour: ::std::string::String,
}

#[::annals::projection(version = 2, batch = 3, on_error = park, ignore(LitV1))]
impl BurningLamp {
    #[::annals::on(upsert, key = |event| (::core::convert::From::from("l"), lamp_glow(event)))]
    fn lit(
        _: ::core::option::Option<Self>,
        event: &Lit,
        cx: &::annals::EventContext<Self>,
    ) -> ::core::result::Result<Self, ::core::fmt::Error> {
        let (lamp, glow) = ::core::clone::Clone::clone(cx.key());
        let colour = ::core::clone::Clone::clone(&event.colour);
        ::core::result::Result::Ok(Self { lamp, glow, lumens: event.lumens, colour })
    }
}

fn lamp_glow(event: &Lit) -> Glow {
    match event.lumens {
        ::core::option::Option::Some(100..) => Glow::Bright,
        _ => Glow::Dim,
    }
}

#[derive(::serde::Serialize, ::serde::Deserialize, ::annals::Query)]
#[query(result = u64)]
pub struct CountLamps;

#[::annals::query_handler]
pub async fn count_lamps(
    _: CountLamps,
    cx: &::annals::QueryContext,
) -> ::core::result::Result<u64, ::annals::ReadModelError> {
    cx.models().query::<BurningLamp>().filter(BurningLamp::LUMENS.gt(5)).count().await
}

pub struct LampWatch;

#[::annals::reactor(name = "lamp_watch", services = u8, start = head)]
impl LampWatch {
    #[::annals::on(key = |event| event.colour.as_str())]
    async fn lit(
        _: &Lit,
        cx: &::annals::EventContext<Self>,
    ) -> ::core::result::Result<::core::option::Option<Light>, ::core::fmt::Error> {
        let key: &str = cx.key();
        ::core::result::Result::Ok(::core::option::Option::Some(Light {
            lamp: ::core::convert::From::from(key),
        }))
    }
}

#[derive(
    ::core::fmt::Debug,
    ::core::clone::Clone,
    ::serde::Serialize,
    ::serde::Deserialize,
    ::annals::ProcessManager,
)]
#[process_manager(
    name = "lighting",
    id = LampId,
    sends(Light),
    version = 2,
    upcast(from = 1, with = same),
    start = head
)]
pub struct Lighting {
    dim: bool,
}

#[::annals::process]
impl Lighting {
    #[::annals::on(upsert)]
    fn lit(
        _: ::core::option::Option<Self>,
        event: &Lit,
        cx: &::annals::EventContext<Self>,
    ) -> (::core::option::Option<Self>, ::core::option::Option<Light>) {
        let dim = event.lumens.is_none();
        let lamp = ::core::clone::Clone::clone(cx.id());
        (::core::option::Option::Some(Self { dim }), dim.then_some(Light { lamp }))
    }

    #[rejected]
    fn not_lit(&mut self, _: &Light, _: &::annals::Rejection) {
        self.dim = false;
    }

    #[deadline(name = "burnt_down", after = ::core::time::Duration::from_secs(9))]
    fn burnt_down(self, cx: &::annals::EventContext<Self>) -> ::annals::Done<LightingCommand> {
        let lamp = ::core::clone::Clone::clone(cx.id());
        ::annals::Done(::core::convert::Into::into(Light { lamp }))
    }
}

#[test]
fn a_process_lights_it() {
    ::core::assert_eq!(Lighting::BURNT_DOWN.as_str(), "burnt_down");
    let steps = <Lighting as ::annals::process::Process>::steps();
    let expected = r#"Steps { events: ["Lit"], refused: ["Light"], deadlines: ["burnt_down"] }"#;
    ::core::assert_eq!(::std::format!("{steps:?}"), expected);
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
