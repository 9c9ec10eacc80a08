//! An aggregate over the streams of tallies that passes over an event which it does not list.

use annals::{
    Aggregate, Command, Context, EventContext, HandledBy, IntoEvents, Misfit, ReturnedEvents,
    Subject, Targets,
};
use serde::{Deserialize, Serialize};

use crate::conformance::tally::{AmountAdded, Tally, TallyEvent};

/// The stored name of the event that is passed over.
pub(super) const NOTED: &str = "ConformanceNoted";

/// How many amounts were added, whatever was noted between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LenientTally {
    pub(super) added: u64,
}

impl Subject for LenientTally {
    type Key = String;
}

impl Aggregate for LenientTally {
    type Id = String;
    type Event = TallyEvent;
    type Services = ();

    const CATEGORY: &'static str = Tally::CATEGORY;
    const IGNORED: &'static [&'static str] = &[NOTED];

    fn apply(
        state: &mut Option<Self>,
        event: &TallyEvent,
        _: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        match event {
            TallyEvent::Opened(_) => *state = Some(Self { added: 0 }),
            TallyEvent::Added(_) => state.as_mut().ok_or(Misfit::Missing)?.added += 1,
        }
        Ok(())
    }
}

impl IntoEvents<LenientTally> for AmountAdded {
    fn extend_into(self, events: &mut Vec<TallyEvent>) {
        events.push(self.into());
    }
}

impl ReturnedEvents<LenientTally> for AmountAdded {}

/// Adds the version of the stream that the command is decided on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AddVersion {
    pub(super) tally: String,
}

impl Command for AddVersion {
    const NAME: &'static str = "ConformanceAddVersion";
}

impl Targets<String> for AddVersion {
    fn target(&self) -> &String {
        &self.tally
    }
}

impl HandledBy<LenientTally> for AddVersion {
    type Output = [AmountAdded; 1];

    async fn handle(
        _: Option<&LenientTally>,
        _: Self,
        cx: &Context<LenientTally>,
    ) -> Result<Self::Output, Misfit> {
        let amount = i64::try_from(cx.stream_version()).unwrap_or(i64::MAX);
        Ok([AmountAdded { amount }])
    }
}
