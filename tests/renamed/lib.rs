//! A program that knows annals under another name only, by the name of the dependency and by a re-export.

pub use chronicle as framework;

use chronicle::{
    Aggregate, AggregateId, ColumnType, Command, Context, Done, Event, EventContext,
    ProcessManager, Query, ReadModel, Rejection, handlers, process, projection, query_handler,
    reactor,
};
use serde::{Deserialize, Serialize};

/// The id of a lamp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AggregateId)]
#[aggregate_id(crate = ::chronicle)]
pub struct LampId(u32);

/// A lamp was lit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(crate = chronicle, alias = "Kindled", version = 3, previous = LitV1, removed(since = 3, "by"))]
pub struct Lit {
    /// How bright.
    #[event(since = 3, renamed_from = "brightness", convert_with = wide, default = 1)]
    pub lumens: u16,
}

/// A lamp was lit, as the first release stored it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(crate = crate::framework, name = "Lit", retired)]
pub struct LitV1;

fn wide(lumens: u8) -> u16 {
    lumens.into()
}

impl From<LitV1> for Lit {
    fn from(_: LitV1) -> Self {
        Self { lumens: 7 }
    }
}

/// A lamp was put out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(crate = crate::framework)]
pub struct PutOut;

/// Light a lamp.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(crate = crate::framework)]
pub struct Light {
    /// Which one.
    #[command(id)]
    pub lamp: LampId,
    /// How bright.
    pub lumens: u16,
}

/// Put a lamp out.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(crate = ::chronicle)]
pub struct PutOutLamp {
    /// Which one.
    #[command(id)]
    pub lamp: LampId,
}

/// A lamp that burns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(
    crate = crate::framework,
    id = LampId,
    events(Lit, PutOut),
    snapshot(every = 1, on(Lit))
)]
pub struct Lamp {
    /// How bright.
    pub lumens: u16,
}

#[handlers(crate = crate::framework)]
impl Lamp {
    /// Lights a lamp that is out, and changes one that burns.
    ///
    /// # Errors
    ///
    /// When it would give no light.
    #[crate::framework::handle(upsert)]
    pub async fn light(
        lamp: Option<&Self>,
        command: Light,
        cx: &Context<Self>,
    ) -> Result<Option<Lit>, std::fmt::Error> {
        match (lamp, command.lumens) {
            _ if cx.id() != &command.lamp => Err(std::fmt::Error),
            (_, 0) => Err(std::fmt::Error),
            (Some(lamp), lumens) if lamp.lumens == lumens => Ok(None),
            (_, lumens) => Ok(Some(Lit { lumens })),
        }
    }

    /// Lights.
    #[apply(upsert)]
    pub fn lit(_: Option<Self>, event: &Lit, _: &EventContext<Self>) -> Self {
        Self { lumens: event.lumens }
    }
}

#[handlers(crate = ::chronicle)]
impl Lamp {
    /// Puts the lamp out.
    #[handle]
    pub fn put_out(&self, _: PutOutLamp) -> PutOut {
        PutOut
    }

    /// Ends the lamp, until it is lit again.
    #[apply]
    pub fn was_put_out(self, _: &PutOut) -> Option<Self> {
        None
    }
}

/// How a lamp burns.
#[derive(Debug, Clone, PartialEq, ColumnType)]
#[column(crate = crate::framework)]
pub enum Glow {
    /// Below a hundred lumens.
    Dim,
    /// From there on.
    Bright,
}

/// A lamp that burns, as a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "burning_lamps", crate = crate::framework)]
pub struct BurningLamp {
    /// Which one.
    #[read_model(key)]
    pub lamp: LampId,
    /// How bright.
    #[read_model(json)]
    pub lumens: u16,
    /// How that looks.
    #[read_model(index)]
    #[serde(skip)]
    pub glow: Option<Glow>,
}

#[projection(crate = chronicle, inline, exhaustive(Lamp))]
impl BurningLamp {
    /// Lights it, or lights it anew.
    #[chronicle::on(upsert)]
    pub fn lit(_: Option<Self>, event: &Lit, cx: &EventContext<Self>) -> Self {
        let glow = if event.lumens < 100 { Glow::Dim } else { Glow::Bright };
        Self { lamp: cx.key().clone(), lumens: event.lumens, glow: Some(glow) }
    }

    /// Takes it off.
    #[on]
    pub fn put_out(self, _: &PutOut) -> Option<Self> {
        None
    }
}

/// Lights a lamp again that was put out.
pub struct Watchman;

#[reactor(name = "watchman", crate = crate::framework, start = beginning)]
impl Watchman {
    /// Lights it.
    ///
    /// # Errors
    ///
    /// When the stream is that of no lamp.
    #[crate::framework::on(key = |_| "all", from = Lamp)]
    pub async fn put_out(
        _: &PutOut,
        cx: &EventContext<Self>,
    ) -> Result<Light, std::num::ParseIntError> {
        Ok(Light { lamp: cx.stream_id().id().parse()?, lumens: 400 })
    }
}

/// What puts lamps out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(crate = crate::framework, name = "night", id = LampId, sends(PutOutLamp))]
pub struct Night {
    /// How many lumens it tolerates.
    pub lumens: u16,
}

#[process(crate = ::chronicle)]
impl Night {
    /// Puts out what is too bright.
    #[chronicle::on]
    pub fn lit(event: &Lit, cx: &EventContext<Self>) -> (Self, Option<PutOutLamp>) {
        let too_bright = event.lumens > 100;
        let put_out = too_bright.then(|| PutOutLamp { lamp: cx.id().clone() });
        (Self { lumens: 100 }, put_out)
    }

    /// Ends with the lamp.
    #[on(key = |_event| None)]
    pub fn out(self, _: &PutOut) -> Done<()> {
        Done(())
    }

    /// Tolerates it.
    #[chronicle::rejected]
    pub fn not_out(&mut self, _: &PutOutLamp, _: &Rejection) {
        self.lumens = u16::MAX;
    }

    /// Ends at dawn.
    #[chronicle::deadline(name = "dawn", after = std::time::Duration::from_secs(8))]
    pub fn dawn(self) -> Done<NightCommand> {
        Done(PutOutLamp { lamp: 1.into() }.into())
    }
}

/// Ask for all lamps that burn.
#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = Vec<BurningLamp>, crate = ::chronicle)]
pub struct Burning;

/// Finds them.
///
/// # Errors
///
/// When the rows cannot be read.
#[query_handler(crate = crate::framework)]
pub async fn burning(
    _: Burning,
    cx: &chronicle::QueryContext,
) -> Result<Vec<BurningLamp>, chronicle::ReadModelError> {
    let bright = BurningLamp::GLOW.eq(Glow::Bright);
    cx.models().query::<BurningLamp>().filter(bright).fetch().await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chronicle::reactor::reactor;
    use chronicle::{
        CommandBus, DispatchError, EventEnum, MemoryStore, NewEvent, Payload, PlainJson, Position,
        RecordedEvent, Repository, StreamHead, StreamId, Timestamp,
    };

    use super::{Lamp, LampEvent, LampId, Light, Lit, PutOutLamp, Watchman};

    #[tokio::test]
    async fn a_bus_runs_it() -> Result<(), Box<dyn std::error::Error>> {
        let store = MemoryStore::new();
        let bus = CommandBus::new(store.clone());
        let lamps = Repository::<Lamp>::new(store);
        let lamp = LampId::from(7);

        bus.dispatch(Light { lamp: lamp.clone(), lumens: 400 }).await?;
        bus.dispatch_json("Light", serde_json::json!({ "lamp": 7, "lumens": 800 })).await?;
        let loaded = lamps.load(&7).await?.expect("lit above");
        assert_eq!((loaded.state.lumens, loaded.stream_version), (800, 2));

        bus.dispatch(PutOutLamp { lamp: lamp.clone() }).await?;
        assert!(lamps.load("7").await?.is_none());
        let out = bus.dispatch(PutOutLamp { lamp: lamp.clone() }).await.unwrap_err();
        assert!(matches!(out, DispatchError::NotFound { .. }), "{out}");

        let dark = bus.dispatch(Light { lamp: lamp.clone(), lumens: 0 }).await.unwrap_err();
        assert!(matches!(dark, DispatchError::Rejected(std::fmt::Error)));
        let again = bus.dispatch(Light { lamp: lamp.clone(), lumens: 10 }).await?;
        assert_eq!((again.stream_id.as_str(), again.stream_version), ("lamp-7", 4));
        let loaded = lamps.load(&lamp).await?.expect("lit again");
        assert_eq!(loaded.state, Lamp { lumens: 10 });
        Ok(())
    }

    #[tokio::test]
    async fn a_reactor_is_called() -> Result<(), Box<dyn std::error::Error>> {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse()?;
        let event = NewEvent::new(id, "PutOut", 1, Payload::new("null"));
        let head = StreamHead::new(1, Position::START, Timestamp::MIN);
        let put_out = RecordedEvent::new(event, StreamId::from_name("lamp-7"), head);
        let watchman = reactor::<Watchman>(Arc::default());
        assert_eq!(watchman.route(&put_out, &PlainJson)?, ["all"]);
        let [light] = watchman.call("all", &put_out, &PlainJson).await?.try_into().unwrap();
        assert_eq!(light.content, serde_json::json!({ "lamp": 7, "lumens": 400 }));
        Ok(())
    }

    #[test]
    fn a_process_has_its_steps() {
        let steps = format!("{:?}", <super::Night as chronicle::process::Process>::steps());
        let expected =
            r#"Steps { events: ["Lit", "PutOut"], refused: ["PutOutLamp"], deadlines: ["dawn"] }"#;
        assert_eq!(steps, expected);
        assert_eq!(super::Night::DAWN.as_str(), "dawn");
    }

    #[test]
    fn old_names_read() {
        let event = LampEvent::decode(chronicle::Stored::new("Kindled", 3, r#"{"lumens":5}"#))
            .unwrap()
            .unwrap();
        assert_eq!(event.same_event(&Lit { lumens: 5 }.into()), Some(true));
        for (version, json, lumens) in
            [(1, "null", 7), (2, r#"{"brightness":5,"by":1}"#, 5), (2, "{}", 1)]
        {
            let stored = chronicle::Stored::new("Lit", version, json);
            assert_eq!(
                <Lit as chronicle::Event>::decode(stored),
                Ok(Lit { lumens }),
                "version {version}"
            );
        }
    }
}
